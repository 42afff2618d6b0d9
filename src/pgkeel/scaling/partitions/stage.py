"""The tables of a drain, side by side with the default partition: copies of its rows, and notes of what changed meanwhile."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from psycopg import sql

from pgkeel.postgres import Connection, Query, load
from pgkeel.scaling.partitions import month_table
from pgkeel.scaling.partitions.layout import Layout
from pgkeel.scaling.partitions.months import Month

__all__ = ["Note", "Stage", "StageSpoiled"]


class StageSpoiled(Exception):
    """The default partition was truncated or rewritten while it was copied: the copies are worthless."""


class Note(msgspec.Struct, frozen=True):
    """One noted change.

    Attributes:
        number: Its place in the order of changes.
        month: The month of the changed row; None where no calendar holds it.
    """

    number: int
    month: datetime | None


class Stage:
    """Statements on the tables of one drain; every method runs in the caller's transaction."""

    def __init__(self, connection: Connection, layout: Layout, months: Sequence[Month]) -> None:
        """Work on `layout`, whose default partition exists, with tables of these months."""
        self.connection = connection
        self.layout = layout
        self.months = tuple(months)
        default = layout.default
        assert default is not None  # noqa: S101 - the plan drains nothing without one
        self._default = layout.named(default.name)
        self._starts = [month.start.replace(tzinfo=None) for month in months]
        self._names = self._all_names()

    @property
    def has_begun(self) -> bool:
        """Whether a drain was begun and not ended."""
        query = load(__name__, "has_progress")
        return bool(query.scalar(self.connection, progress=self._names["progress"].as_string(None)))

    def begin(self) -> None:
        """Start to note changes; writers of the default partition wait until the transaction ends."""
        self._query("begin_drain").run(self.connection)
        self._query("first_progress").run(self.connection, default=self._default.as_string(None))

    def copy(self, blocks: int) -> bool:
        """Copy the rows of the next blocks; return whether there are more.

        Raises:
            StageSpoiled: The default partition is another file than the one that the copy began with.
        """
        progress = self._progress()
        first, last = progress["next_block"], min(progress["next_block"] + blocks, progress["blocks"])
        if first >= last:
            return False
        span = {"first": f"({first},0)", "last": f"({last},0)"}
        for month in self.months:
            self._query("copy_month", month).run(self.connection, **span, lower=month.start, upper=month.end)
        self._query("copy_rest").run(self.connection, **span, months=self._starts)
        self._query("write_progress").run(self.connection, next_block=last)
        return True

    def check(self) -> None:
        """Return while the copies are good.

        Raises:
            StageSpoiled: They are not.
        """
        self._progress()

    def notes(self, limit: int) -> list[Note]:
        """Return the oldest changes that the copies have not followed."""
        return [msgspec.convert(row, Note) for row in self._query("noted").rows(self.connection, batch=limit)]

    def follow(self, notes: Sequence[Note]) -> None:
        """Bring the copies of changed rows up to date: each is dropped and taken again as it is now, where it now is.

        A note that is committed but not in `notes` is followed later, whatever its number: this asks for numbers, not a range.
        """
        numbers = {"numbers": [note.number for note in notes]}
        months = [
            month for month, start in zip(self.months, self._starts, strict=True) if start in {note.month for note in notes}
        ]
        for target in (*months, None):
            self._query("forget_copies", target).run(self.connection, **numbers)
        for month in months:
            self._query("follow_month", month).run(self.connection, **numbers, lower=month.start, upper=month.end)
        self._query("follow_rest").run(self.connection, **numbers, months=self._starts)
        self._query("forget_changes").run(self.connection, **numbers)

    def count(self, month: Month) -> int:
        """Return how many rows a month's table holds, and give the planner its figures."""
        child = {"table": self.layout.named(self.layout.name_of(month))}
        load(__name__, "analyze").named(**child).run(self.connection)
        return int(load(__name__, "count_rows").named(**child).scalar(self.connection))

    def outwait_snapshots(self) -> None:
        """Return when no transaction can see the time before the copies; outside of a transaction."""
        self._query("outwait_snapshots").run(self.connection)

    def switch(self) -> None:
        """Empty the default partition and attach the months, under the locks: readers see all rows before and after."""
        self._query("empty_default").run(self.connection)
        self._put_back_rest()
        for month in self.months:
            month_table.attach(self.connection, self.layout, month)
        self._query("end_drain").run(self.connection)

    def abandon(self) -> None:
        """Drop whatever a drain left behind; the rows are where they were."""
        self._query("abandon_drain").run(self.connection)
        for month in self.layout.staged:
            child = self.layout.named(self.layout.name_of(month))
            load(__name__, "drop_month").named(child=child).run(self.connection)

    def _put_back_rest(self) -> None:
        """Return the rows that stay; for the application nothing happened to them, so no trigger of its own may fire."""
        rest = load(__name__, "count_rows").named(table=self._names["rest"])
        if not rest.scalar(self.connection):
            return
        triggers = load(__name__, "own_triggers").rows(self.connection, default=self._default.as_string(None))
        for trigger in triggers:
            self.connection.execute(trigger["silence"].encode())  # written by the server, with its own quoting
        self._query("put_back").run(self.connection)
        load(__name__, "check_now").run(self.connection)
        for trigger in triggers:
            self.connection.execute(trigger["wake"].encode())

    def _progress(self) -> dict[str, int]:
        row = self._query("read_progress").row(self.connection, default=self._default.as_string(None))
        if row is None or not row["is_same_file"]:
            raise StageSpoiled
        return row

    def _query(self, name: str, target: Month | None = None) -> Query:
        table = self._names["rest"] if target is None else self.layout.named(self.layout.name_of(target))
        return load(__name__, name).named(**self._names, target=table)

    def _all_names(self) -> dict[str, sql.Composable]:
        layout, key = self.layout, self.layout.primary_key
        return {
            "default": self._default,
            "rest": layout.named(f"{layout.table}_pgkeel_rest"),
            "changes": layout.named(f"{layout.table}_pgkeel_changes"),
            "progress": layout.named(f"{layout.table}_pgkeel_drain"),
            "note": layout.named(f"{layout.table}_pgkeel_note"),
            "key": sql.Identifier(layout.key),
            "columns": _list("", layout.columns),
            "primary_key": _list("", key),
            "old_key": _list("OLD.", key),
            "new_key": _list("NEW.", key),
            "copy_key": _list("copy.", key),
            "change_key": _list("change.", key),
        }


def _list(prefix: str, columns: Sequence[str]) -> sql.Composed:
    """Return quoted column names, each behind the same prefix."""
    return sql.SQL(", ").join([sql.SQL(prefix) + sql.Identifier(column) for column in columns])
