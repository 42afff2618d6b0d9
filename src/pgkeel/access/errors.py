"""What a caller of the data access can answer; none of these ever holds a bound value or a row in its text, `args` or pickle.

AccessError
├── NotFound            the row does not exist, or is soft-deleted
├── Conflict            somebody else changed the row since it was read (`theirs`, `yours`)
├── AlreadyExists       a unique or exclusion constraint (`constraint`, `columns`)
├── ForeignKeyMissing   the row that is pointed to does not exist, or is still pointed to
├── CheckFailed         a CHECK or NOT NULL constraint
├── InvalidValue        a value does not fit its column's type
├── StatementFailed     the server refused the statement for another reason (`sqlstate`)
├── Timeout             a statement, lock or transaction timeout; cancelled by the server
├── RetryNeeded         serialization failure or deadlock: run the whole transaction again (`db.run` does)
│   └── SchemaChanged   a migration changed a table under a prepared statement of the transaction
├── ReadOnly            the server or the transaction is read-only
├── PoolExhausted       no connection became free in time (`holders`)
├── PoolClosed          the database handle is not open
├── TransactionAborted  a statement failed and its error was swallowed: nothing of the transaction is kept
├── RepeatedStatement   one statement ran so often in one scope that it should be one statement for many rows (N+1)
├── UnexpectedCount     other than the expected number of statements ran (`db.expect`)
└── InvalidCursor       a page cursor was altered, or belongs to another query
ConnectionLost (Unreachable)   the connection ended while it was used
└── CommitUnknown       … while COMMIT was on its way: it may be kept or not; never repeated by `db.run`
SessionFeature (UsageError)    a transaction pooler stands before the server, and this needs a session
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

import msgspec

from pgkeel.core import errors
from pgkeel.core.units import format_duration

__all__ = [
    "AccessError",
    "AlreadyExists",
    "CheckFailed",
    "CommitUnknown",
    "Conflict",
    "ConnectionLost",
    "Constraint",
    "ForeignKeyMissing",
    "Holder",
    "InvalidCursor",
    "InvalidValue",
    "NotFound",
    "PoolClosed",
    "PoolExhausted",
    "ReadOnly",
    "RepeatedStatement",
    "RetryNeeded",
    "SchemaChanged",
    "SessionFeature",
    "StatementFailed",
    "Timeout",
    "TransactionAborted",
    "UnexpectedCount",
]


class AccessError(errors.KeelError):
    """A statement could not be carried out.

    Attributes:
        row: Of many rows that were written, the one that was refused, from 0; None when it is not known.
    """

    code: ClassVar[str] = "access"
    row: int | None = None


class NotFound(AccessError):
    """The row does not exist, or is soft-deleted."""

    code = "row_not_found"


class Conflict(AccessError):
    """Somebody else changed the row since it was read.

    Attributes:
        theirs: The row as it is now; for the caller only, never in a text or a pickle.
        yours: The fields that were to be written.
    """

    code = "conflict"

    def __init__(
        self, message: str = "", *, hint: str = "", theirs: object = None, yours: Mapping[str, object] | None = None
    ) -> None:
        """Keep both sides as attributes."""
        super().__init__(message, hint=hint)
        self.theirs = theirs
        self.yours = dict(yours or {})

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the message alone: a queue or a log must not receive rows."""
        return type(self), (self.message,)


class Constraint(AccessError):
    """A constraint refused the row.

    Attributes:
        constraint: Its name, or "" for NOT NULL.
        columns: The columns that the model knows it to cover, or the one that may not be NULL.
        table: Its table.
        sqlstate: The server's code.
    """

    code = "constraint"

    def __init__(  # noqa: D107 - the class says it
        self,
        message: str = "",
        *,
        hint: str = "",
        constraint: str = "",
        columns: Sequence[str] = (),
        table: str = "",
        sqlstate: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.constraint = constraint
        self.columns = tuple(columns)
        self.table = table
        self.sqlstate = sqlstate


class AlreadyExists(Constraint):
    """A row with this key exists already."""

    code = "already_exists"


class ForeignKeyMissing(Constraint):
    """The row that a foreign key points to does not exist, or others still point to this one."""

    code = "foreign_key_missing"


class CheckFailed(Constraint):
    """A value breaks a CHECK or NOT NULL constraint."""

    code = "check_failed"


class StatementFailed(AccessError):
    """The server refused a statement.

    Attributes:
        sqlstate: The server's code, or "" when the driver refused it.
    """

    code = "statement_failed"

    def __init__(self, message: str = "", *, hint: str = "", sqlstate: str = "") -> None:
        """Keep the server's code."""
        super().__init__(message, hint=hint)
        self.sqlstate = sqlstate


class InvalidValue(StatementFailed):
    """A value does not fit the type of its column or parameter."""

    code = "invalid_value"


class Timeout(StatementFailed):
    """The server cancelled the statement, or a lock was not obtained in time."""

    code = "timeout"


class RetryNeeded(StatementFailed):
    """Serialization failure or deadlock; run the whole transaction again."""

    code = "retry_needed"


class SchemaChanged(RetryNeeded):
    """A migration changed a table under a prepared statement of this transaction; run the whole transaction again."""

    code = "schema_changed"


class ReadOnly(StatementFailed):
    """The server or the transaction only reads."""

    code = "read_only"


class TransactionAborted(AccessError):
    """A statement of the transaction failed and its error was swallowed; nothing of the transaction is kept."""

    code = "transaction_aborted"


class RepeatedStatement(AccessError):
    """One statement ran again and again in one scope; one statement for many rows would do."""

    code = "repeated_statement"


class UnexpectedCount(AccessError, AssertionError):
    """Other than the expected number of statements ran; an assertion too, so that a test fails and does not err."""

    code = "unexpected_count"


class ConnectionLost(errors.Unreachable):
    """The connection ended while it was used; whether a write happened is not known."""

    code = "connection_lost"


class CommitUnknown(ConnectionLost):
    """The connection ended while COMMIT was on its way: the transaction may be kept or not."""

    code = "commit_unknown"


class SessionFeature(errors.UsageError):
    """A transaction pooler stands before the server: what outlives a transaction belongs to nobody there."""

    code = "session_feature"


class Holder(msgspec.Struct, frozen=True):
    """Who holds a connection of the pool.

    Attributes:
        name: Task or thread.
        doing: What it was taken for.
        held: For how long.
        stack: Where it was taken, nearest frame first; only where the handle debugs its pool.
    """

    name: str
    doing: str
    held: timedelta
    stack: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one line for an error."""
        place = f" at {self.stack[0]}" if self.stack else ""
        return f"{self.name} ({self.doing}) for {format_duration(self.held)}{place}"


class PoolExhausted(AccessError):
    """No connection became free in time.

    Attributes:
        holders: Who holds the connections, longest first.
    """

    code = "pool_exhausted"

    def __init__(self, message: str = "", *, hint: str = "", holders: Sequence[Holder] = ()) -> None:
        """Keep the list."""
        super().__init__(message, hint=hint)
        self.holders = tuple(holders)


class PoolClosed(AccessError):
    """The database handle is not open; use it inside `with`."""

    code = "pool_closed"


class InvalidCursor(errors.UsageError):
    """The page cursor was altered, or belongs to another query or another key."""

    code = "invalid_cursor"
