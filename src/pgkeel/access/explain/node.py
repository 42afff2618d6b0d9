"""One step of a plan."""

from collections.abc import Iterator

import msgspec

__all__ = ["Node"]


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
