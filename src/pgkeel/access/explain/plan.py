"""Read a plan of `EXPLAIN (FORMAT JSON)`; texts and numbers in conditions are replaced, for they may be somebody's values."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pgkeel.access.explain.flags import flags_of
from pgkeel.access.explain.node import Node
from pgkeel.access.explain.tree import tree_lines

__all__ = ["Explained", "read_plan"]

_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$])\d+(?:\.\d+)?\b")
_CONDITIONS = ("Index Cond", "Hash Cond", "Merge Cond", "Recheck Cond", "Join Filter", "Filter")


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
        """Return the tree, the times and the flags as text."""
        lines = list(tree_lines(self.plan))
        if self.execution is not None:
            lines.append(f"{self.execution:,.1f} ms, and {self.planning or 0:,.1f} ms to plan")
        return "\n".join([*lines, *(f"! {flag}" for flag in self.flags)])


def read_plan(answer: Any) -> Explained:  # noqa: ANN401 - JSON
    """Return what the server answered, flags included."""
    found: Mapping[str, Any] = (msgspec.json.decode(answer) if isinstance(answer, (str, bytes)) else answer)[0]
    plan, execution = _node(found["Plan"]), found.get("Execution Time")
    triggers = {str(each.get("Trigger Name")): float(each.get("Time", 0)) for each in found.get("Triggers", ())}
    return Explained(
        plan=plan,
        flags=flags_of(plan, execution, triggers),
        planning=found.get("Planning Time"),
        execution=execution,
        triggers=triggers,
        settings=found.get("Settings", {}),
    )


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
