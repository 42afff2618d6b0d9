"""What a search for lost rows found, and what was put back."""

from typing import Any

import msgspec

from pgkeel.core.errors import Refused

__all__ = ["Conflict", "RowsBack", "RowsDoNotFit"]


class RowsDoNotFit(Refused):
    """Rows that are to come back do not fit into the table as it is now."""

    code = "rows_do_not_fit"


class Conflict(msgspec.Struct, frozen=True):
    """A row that was not put back.

    Attributes:
        table: Its table.
        key: Its primary key.
        reason: What lives in its place.
    """

    table: str
    key: dict[str, Any]
    reason: str


class RowsBack(msgspec.Struct, frozen=True):
    """What was put back, or with a dry run would be.

    Attributes:
        table: The table that was asked about.
        deleted: How many of its rows are lost.
        changed: How many of its rows were set back to what they were.
        restored: Rows put back by table, and references by `table.column`.
        conflicts: Rows that were not put back.
        left_out: Tables whose rows are never put back.
        added: Columns that came since; they have their defaults. Those of another table as `table.column`.
        dropped: Columns that went since; their values are not put back.
        script: The statements that do it; empty unless they were asked for.
        warnings: What could not be told.
    """

    table: str
    deleted: int
    changed: int
    restored: dict[str, int]
    conflicts: tuple[Conflict, ...]
    left_out: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    script: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
