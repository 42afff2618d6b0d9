"""What the database where the migration will run says about its tables: a warning about a table of ten rows is noise."""

from collections.abc import Mapping

import msgspec

from pgkeel.migrations.lint.facts import Facts
from pgkeel.postgres import Connection, load

__all__ = ["Table", "Target", "ask"]

_SMALL = 10 * 1024 * 1024  # bytes that any disk reads within the runner's lock_timeout
_BUSY = 1_000.0  # scans and writes a second at which even a moment's lock makes a queue


class Table(msgspec.Struct, frozen=True):
    """A table of the target.

    Attributes:
        bytes: Its size with indexes and partitions; None where it is not there.
        rows: What the planner believes.
        calls: Scans and written rows a second, since the statistics began.
        types: Its columns and their types.
        key: The columns that partition it, or none.
    """

    bytes: int | None = None
    rows: int = 0
    calls: float = 0.0
    types: Mapping[str, str] = {}
    key: tuple[str, ...] = ()

    @property
    def is_small(self) -> bool:
        """Whether reading and writing all of it is over before anybody notices."""
        return self.bytes is not None and self.bytes <= _SMALL and self.calls < _BUSY

    def __str__(self) -> str:
        """Return size, rows and traffic for a person."""
        return f"{self.bytes or 0} bytes, {max(self.rows, 0)} rows, {self.calls:.1f} calls a second"


class Target(msgspec.Struct, frozen=True):
    """The database where the migration will run; nothing is known of it without a connection."""

    tables: Mapping[str, Table] = {}

    def known(self, older: Facts) -> Facts:
        """Return older migrations' facts, with what the target itself says about types and partition keys."""
        facts = older.as_history()
        facts.types = {**facts.types, **{name: dict(table.types) for name, table in self.tables.items()}}
        facts.partition_keys = {**facts.partition_keys, **{name: table.key for name, table in self.tables.items() if table.key}}
        return facts


def ask(connection: Connection) -> Target:
    """Return the target's tables; one query, which reads the catalog and the statistics alone."""
    rows = load(__name__, "tables").rows(connection)
    return Target({str(row["name"]): _table(row) for row in rows})


def _table(row: Mapping[str, object]) -> Table:
    return msgspec.convert({**row, "key": tuple(row["key"] or ())}, Table, strict=False)  # type: ignore[arg-type]
