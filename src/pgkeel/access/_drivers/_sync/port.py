# Generated from pgkeel/access/_drivers/_async/port.py by tools/unasync.py; do not edit.
"""What a driver must offer: the whole of what the pool and the statements know about it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol

from sqlalchemy.engine import Dialect

from pgkeel.access._drivers.diagnosis import Diagnosis

__all__ = ["Connection", "Driver", "Pooler", "Record"]

Pooler = Literal["detect", "none", "transaction"]


class Record(Protocol):
    """The values of one row in the order of its columns; `record[:]` is all of them as a tuple."""

    def __getitem__(self, part: slice, /) -> tuple[Any, ...]:
        """Return some of the values."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Return them one by one."""
        ...


class Connection(Protocol):
    """One connection, in autocommit; values travel beside the statement as `$1, $2 …`."""

    def fetch_row(self, sql: str, values: Sequence[object]) -> Record | None:
        """Return the first row, or None."""
        ...

    def fetch(self, sql: str, values: Sequence[object]) -> Sequence[Record]:
        """Return all rows."""
        ...

    def fetch_named(self, sql: str, values: Sequence[object]) -> tuple[tuple[str, ...], Sequence[Record]]:
        """Return column names and all rows; without rows, the names may be missing."""
        ...

    def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run it and return how many rows it touched."""
        ...

    def copy(self, table: Sequence[str], columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        """Write rows by COPY, all or none, and return how many; `table` is its name, after its schema if it says one."""
        ...

    def ping(self, seconds: float) -> bool:
        """Return whether the server answers within so many seconds; afterwards it may be of no use when it did not."""
        ...

    def reset(self) -> None:
        """Leave nothing of a session behind: transaction, settings, locks, cursors, listens."""
        ...

    def close(self) -> None:
        """Say goodbye and close."""
        ...

    def abort(self) -> None:
        """Close at once, without waiting for anything."""
        ...

    def is_open(self) -> bool:
        """Return whether it is not known to be of no use."""
        ...

    def is_cut(self) -> bool:
        """Return whether the server has ended it while it lay unused; looks at the socket where the driver does not."""
        ...

    def begin_session(self, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's connections have no type
        """Return the connection as SQLAlchemy's dialect wants it; the same object every time."""
        ...

    def begin(self) -> None:
        """Begin the session's transaction unless it has begun: before a statement that does not go through SQLAlchemy."""
        ...

    def end_session(self) -> None:
        """Return to autocommit; SQLAlchemy has rolled back already."""
        ...


class Driver(Protocol):
    """A way to reach one server.

    Attributes:
        name: The driver's name in SQLAlchemy's URLs.
        errors: What its calls raise.
        dialect: How statements and values are written for it.
        is_pooled: Whether a transaction pooler stands before the server, so that nothing outlives a transaction.
        has_names: Whether prepared statements keep their names; false behind a pooler that does not know them (PgBouncer < 1.21).
    """

    name: str
    errors: tuple[type[Exception], ...]
    dialect: Dialect
    is_pooled: bool
    has_names: bool

    def recognise(self, pooler: Pooler, seconds: float) -> None:
        """Find out, over a connection of its own, what stands before the server; `none` looks at nothing.

        A pooler tells each client a process number that is not its server's. One that knows named statements gives them names
        of its own on the server.

        Raises:
            Unreachable: The server cannot be reached.
            ConfigError: What was asked for cannot be had through a pooler.
        """
        ...

    def connect(self, seconds: float) -> Connection:
        """Open a connection within so many seconds.

        Raises:
            Unreachable: It cannot be done.
        """
        ...

    def diagnose(self, error: Exception) -> Diagnosis:
        """Return what the error says about itself, without any value."""
        ...
