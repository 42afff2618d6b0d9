"""Decide which months to make and which to drain: pure, so that `--dry-run` shows what a run would do."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from pgkeel.scaling.partitions.layout import Layout
from pgkeel.scaling.partitions.months import Month

__all__ = ["Plan", "plan"]


class Plan(msgspec.Struct, frozen=True):
    """What a run would do.

    Attributes:
        drain: Month → rows of it that lie in the default partition and will move.
        create: Months made ahead, empty.
        left: Rows of the default partition that stay there.
        why_left: Why, one sentence; "" when nothing stays.
    """

    drain: dict[Month, int]
    create: tuple[Month, ...]
    left: int = 0
    why_left: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.drain and not self.create


def plan(layout: Layout, contents: Mapping[Month | None, int], *, now: datetime, ahead: int) -> Plan:
    """Return what has to be done to a table.

    Args:
        layout: How it stands.
        contents: Month → rows of it in the default partition; None → rows that no month can hold (infinity, BC).
        now: The time; its month and `ahead` more are made.
        ahead: How many months in advance.
    """
    present = Month.of(now)
    wanted = [present.plus(step) for step in range(ahead + 1)]
    movable = {month: rows for month, rows in contents.items() if month is not None and layout.covering(month) is None}
    obstacle = _obstacle(layout) if movable else ""
    drain = {} if obstacle else movable
    left = sum(contents.values()) - sum(drain.values())
    held = () if not obstacle else tuple(movable)
    create = tuple(month for month in wanted if not layout.covering(month) and month not in drain and month not in held)
    return Plan(drain, create, left, obstacle or (_UNPLACED if left else ""))


_UNPLACED = "their time is in no month that can be made: infinite, before year 1, or in a partition that covers part of the month"


def _obstacle(layout: Layout) -> str:
    """Return why rows cannot be moved, or ""."""
    if not layout.primary_key:
        return f"{layout.table} has no primary key by which a moved row is known"
    if layout.is_referenced:
        return f"a foreign key points to {layout.table}: the rows it holds cannot leave the default partition"
    if layout.is_published:
        return f"{layout.table} is in a publication: its subscribers would lose the rows that move"
    return ""
