"""Data access: one pool, three doors: repositories that return frozen structs, a unit of work, and hand-written SQL.

The async form is here, the sync one in `pgkeel.access.sync`. SQLAlchemy is imported when `Database` is first asked for.
"""

from typing import TYPE_CHECKING, Any

from pgkeel.access.errors import (
    AccessError,
    AlreadyExists,
    CheckFailed,
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
    RetryNeeded,
    StatementFailed,
    Timeout,
)
from pgkeel.access.page import Page

if TYPE_CHECKING:
    from pgkeel.access._async.database import Database
    from pgkeel.access._async.repository import Repository

__all__ = [
    "AccessError",
    "AlreadyExists",
    "CheckFailed",
    "Conflict",
    "ConnectionLost",
    "Constraint",
    "Database",
    "ForeignKeyMissing",
    "Holder",
    "InvalidCursor",
    "InvalidValue",
    "NotFound",
    "Page",
    "PoolClosed",
    "PoolExhausted",
    "ReadOnly",
    "Repository",
    "RetryNeeded",
    "StatementFailed",
    "Timeout",
]

_LAZY = {"Database": "pgkeel.access._async.database", "Repository": "pgkeel.access._async.repository"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what PEP 562 asks for
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - needed once

    return getattr(import_module(_LAZY[name]), name)
