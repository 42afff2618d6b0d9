"""Data access: one pool, three doors: repositories that return frozen structs, a unit of work, and hand-written SQL.

The async form is here, the sync one in `pgkeel.access.sync`. SQLAlchemy is imported when `Database` is first asked for.
"""

from typing import TYPE_CHECKING, Any

from pgkeel.access.errors import (
    AccessError,
    AlreadyExists,
    CheckFailed,
    CommitUnknown,
    Conflict,
    ConnectionLost,
    Constraint,
    ForeignKeyMissing,
    Holder,
    InvalidCursor,
    InvalidValue,
    NotFound,
    PoolClosed,
    PoolExhausted,
    ReadOnly,
    RepeatedStatement,
    RetryNeeded,
    SchemaChanged,
    SessionFeature,
    StatementFailed,
    Timeout,
    TransactionAborted,
    UnexpectedCount,
)
from pgkeel.access.event import Event
from pgkeel.access.page import Page

if TYPE_CHECKING:
    from pgkeel.access._async.database import Database
    from pgkeel.access._async.hooks import Hook
    from pgkeel.access._async.repository import Repository
    from pgkeel.access._async.transaction import Transaction
    from pgkeel.access.queries import query, statement
    from pgkeel.access.touched import Touched

__all__ = [
    "AccessError",
    "AlreadyExists",
    "CheckFailed",
    "CommitUnknown",
    "Conflict",
    "ConnectionLost",
    "Constraint",
    "Database",
    "Event",
    "ForeignKeyMissing",
    "Holder",
    "Hook",
    "InvalidCursor",
    "InvalidValue",
    "NotFound",
    "Page",
    "PoolClosed",
    "PoolExhausted",
    "ReadOnly",
    "RepeatedStatement",
    "Repository",
    "RetryNeeded",
    "SchemaChanged",
    "SessionFeature",
    "StatementFailed",
    "Timeout",
    "Touched",
    "Transaction",
    "TransactionAborted",
    "UnexpectedCount",
    "query",
    "statement",
]

_LAZY = {
    "Database": "pgkeel.access._async.database",
    "Hook": "pgkeel.access._async.hooks",
    "Repository": "pgkeel.access._async.repository",
    "Touched": "pgkeel.access.touched",
    "Transaction": "pgkeel.access._async.transaction",
    "query": "pgkeel.access.queries",
    "statement": "pgkeel.access.queries",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what PEP 562 asks for
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - needed once

    return getattr(import_module(_LAZY[name]), name)
