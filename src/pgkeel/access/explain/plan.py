"""Read a plan of `EXPLAIN (FORMAT JSON)`; texts and numbers in conditions are replaced, for they may be somebody's values."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pgkeel.access.explain.flags import flags_of
from pgkeel.access.explain.tree import as_text

__all__ = ["Explained", "Node", "read_plan"]

_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$])\d+(?:\.\d+)?\b")
_CONDITIONS = ("Index Cond", "Hash Cond", "Merge Cond", "Recheck Cond", "Join Filter", "Filter")


class Node(msgspec.Struct, frozen=True):
    """One step of a plan.

    Attributes:
        kind: `Seq Scan`, `Nested Loop`, …
        relation: The table, or "".
        index: The index, or "".
        condition: What it looks for, values replaced; or "".
        sort_keys: What it sorts by.
        planned: Rows expected each time it runs.
        rows: Rows that came each time; None where nothing was run.
        loops: How often it ran; 0 where it never had to.
        milliseconds: Time altogether, its children included; None where nothing was run.
        removed: Rows that it read and threw away, each time.
        heap_fetches: Rows for which an index-only scan had to look into the table.
        sort_space: KiB of a sort on disk; 0 when it fitted.
        batches: Into how many parts a hash was split; 1 when it fitted.
        lossy: Pages of a bitmap that remembered no rows, for lack of memory.
        read: Pages that were not in shared buffers.
        children: The steps that it takes rows from.
    """

    kind: str
    relation: str = ""
    index: str = ""
    condition: str = ""
    sort_keys: tuple[str, ...] = ()
    planned: float = 0
    rows: float | None = None
    loops: float = 1
    milliseconds: float | None = None
    removed: float = 0
    heap_fetches: int = 0
    sort_space: int = 0
    batches: int = 1
    lossy: int = 0
    read: int = 0
    children: tuple["Node", ...] = ()

    def walk(self) -> Iterator["Node"]:
        """Yield it and everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()


class Explained(msgspec.Struct, frozen=True):
    """A plan and what there is to say about it.

    Attributes:
        plan: Its root.
        flags: What is wrong with it, in words; empty when nothing is.
        planning: Milliseconds of planning; None where the server does not say.
        execution: Milliseconds of running; None where nothing was run.
        triggers: Milliseconds by trigger.
        settings: Settings that differ from the server's defaults and may matter.
    """

    plan: Node
    flags: tuple[str, ...] = ()
    planning: float | None = None
    execution: float | None = None
    triggers: Mapping[str, float] = {}
    settings: Mapping[str, str] = {}

    def __str__(self) -> str:
        """Return the tree and the flags as text."""
        return as_text(self)


def read_plan(answer: Any) -> Explained:  # noqa: ANN401 - JSON
    """Return what the server answered, flags included."""
    found: Mapping[str, Any] = (msgspec.json.decode(answer) if isinstance(answer, (str, bytes)) else answer)[0]
    explained = Explained(
        plan=_node(found["Plan"]),
        planning=found.get("Planning Time"),
        execution=found.get("Execution Time"),
        triggers={str(each.get("Trigger Name")): float(each.get("Time", 0)) for each in found.get("Triggers", ())},
        settings=found.get("Settings", {}),
    )
    return msgspec.structs.replace(explained, flags=flags_of(explained))


def _node(found: Mapping[str, Any]) -> Node:
    loops = found.get("Actual Loops", 1)
    total = found.get("Actual Total Time")
    condition = next((found[name] for name in _CONDITIONS if name in found), "")
    return Node(
        kind=_kind(found),
        relation=found.get("Relation Name", ""),
        index=found.get("Index Name", ""),
        condition=_LITERAL.sub("…", condition),
        sort_keys=tuple(found.get("Sort Key", ())),
        planned=found.get("Plan Rows", 0),
        rows=found.get("Actual Rows"),
        loops=loops,
        milliseconds=None if total is None else total * loops,
        removed=found.get("Rows Removed by Filter", 0) + found.get("Rows Removed by Index Recheck", 0),
        heap_fetches=found.get("Heap Fetches", 0),
        sort_space=found.get("Sort Space Used", 0) if found.get("Sort Space Type") == "Disk" else 0,
        batches=found.get("Hash Batches", 1),
        lossy=found.get("Lossy Heap Blocks", 0),
        read=found.get("Shared Read Blocks", 0),
        children=tuple(_node(child) for child in found.get("Plans", ())),
    )


def _kind(found: Mapping[str, Any]) -> str:
    kind: str = found["Node Type"]
    if kind == "ModifyTable":
        return str(found.get("Operation", kind))
    return f"Parallel {kind}" if found.get("Parallel Aware") else kind
