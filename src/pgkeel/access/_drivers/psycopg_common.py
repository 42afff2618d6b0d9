"""What both psycopg drivers share: the address, the dialect, the reading of errors and of the copy types."""

import math
import select
from collections.abc import Sequence

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from sqlalchemy.dialects.postgresql import psycopg as dialect_module
from sqlalchemy.engine import Dialect

from pgkeel.access._drivers.diagnosis import Diagnosis, copied_line
from pgkeel.core.url import Url

__all__ = [
    "ERRORS",
    "RESET",
    "connect_keywords",
    "copy_statement",
    "diagnose",
    "has_type",
    "is_readable",
    "new_dialect",
    "reason",
]

ERRORS: tuple[type[Exception], ...] = (psycopg.Error, OSError, UnicodeError, OverflowError)
RESET = ("SELECT pg_advisory_unlock_all()", "CLOSE ALL", "UNLISTEN *", "RESET ALL")
STALE_PLAN = "0A000"
Json = Jsonb


def connect_keywords(url: Url, seconds: float) -> dict[str, str]:
    """Return libpq's keywords; its own timeout counts whole seconds of at least 2, the pool's deadline is exact."""
    options = f"{url.options.get('options', '')} -c timezone=UTC".strip()
    given = {"application_name": "pgkeel", "client_encoding": "UTF8"} | url.keywords()
    return given | {"options": options, "connect_timeout": str(max(2, math.ceil(seconds)))}


def new_dialect() -> Dialect:
    """Return SQLAlchemy's dialect with `$1` parameters, so that statements are the same for every driver."""
    dialect: Dialect = dialect_module.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    return dialect


def copy_statement(table: Sequence[str], columns: Sequence[str], *, is_binary: bool) -> sql.Composed:
    """Return the COPY statement with quoted names."""
    return sql.SQL("COPY {} ({}) FROM STDIN{}").format(
        sql.Identifier(*table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(" (FORMAT binary)" if is_binary else ""),
    )


def has_type(name: str) -> bool:
    """Return whether psycopg knows how to write a type in binary."""
    return psycopg.postgres.types.get(name) is not None


def diagnose(error: Exception) -> Diagnosis:
    """Return what a psycopg error says about itself."""
    if not isinstance(error, psycopg.Error):
        is_value = isinstance(error, (UnicodeError, OverflowError))
        return Diagnosis(is_lost=isinstance(error, OSError), is_value=is_value, kind=type(error).__name__)
    diag = error.diag
    is_lost = error.sqlstate is None and isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))
    return Diagnosis(
        sqlstate=error.sqlstate or "",
        message=diag.message_primary or "",
        constraint=diag.constraint_name or "",
        table=diag.table_name or "",
        column=diag.column_name or "",
        routine=diag.source_function or "",
        is_lost=is_lost,
        is_value=error.sqlstate is None and isinstance(error, (psycopg.DataError, psycopg.ProgrammingError)),
        kind=type(error).__name__,
        line=copied_line(diag.context),
    )


def reason(error: Exception) -> str:
    """Return why a connection could not be made, without the address: it may hold a password."""
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return "no answer in time"
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return primary or (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


def is_readable(descriptor: int) -> bool:
    """Return whether something lies in the socket of an unused connection: the server has said goodbye."""
    try:
        return bool(select.select([descriptor], [], [], 0)[0])
    except (OSError, ValueError):
        return False
