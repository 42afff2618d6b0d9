"""asyncpg: the fastest way from a coroutine to the server."""

import asyncio
import json
import re
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

import asyncpg
import msgspec
from sqlalchemy.dialects.postgresql import asyncpg as dialect_module
from sqlalchemy.engine import Dialect

from pgkeel.access._drivers._async.port import Record
from pgkeel.access._drivers.asyncpg_address import connect_arguments
from pgkeel.access._drivers.diagnosis import Diagnosis, copied_line
from pgkeel.access._drivers.feed import Feed
from pgkeel.core.errors import Unreachable
from pgkeel.core.url import Url

__all__ = ["AsyncpgConnection", "AsyncpgDriver"]

_COUNT = re.compile(r" (\d+)$")
_LOST = (asyncpg.ConnectionDoesNotExistError, asyncpg.ConnectionFailureError, OSError)


class AsyncpgConnection:
    """One asyncpg connection."""

    __slots__ = ("_adapted", "raw")

    def __init__(self, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Keep the driver's connection."""
        self.raw = raw
        self._adapted: Any = None

    def fetch_row(self, sql: str, values: Sequence[object]) -> Coroutine[Any, Any, Record | None]:
        """Return the first row, or None."""
        return self.raw.fetchrow(sql, *values)

    def fetch(self, sql: str, values: Sequence[object]) -> Coroutine[Any, Any, Sequence[Record]]:
        """Return all rows."""
        return self.raw.fetch(sql, *values)

    async def fetch_named(self, sql: str, values: Sequence[object]) -> tuple[tuple[str, ...], Sequence[Record]]:
        """Return column names and all rows; of a result without rows no names are known."""
        records = await self.raw.fetch(sql, *values)
        return tuple(records[0].keys()) if records else (), records

    async def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run it and return how many rows it touched."""
        count = _COUNT.search(await self.raw.execute(sql, *values))
        return int(count[1]) if count else 0

    async def copy(
        self,
        table: Sequence[str],
        columns: Sequence[str],
        types: Sequence[str],  # noqa: ARG002 - asyncpg asks the server
        rows: Iterable[Sequence[object]],
    ) -> int:
        """Write rows by binary COPY; asyncpg asks the server for the types."""
        schema = table[0] if len(table) > 1 else None
        feed = Feed(rows)
        with feed.refusing(asyncpg.DataError, (asyncpg.InterfaceError,)):
            done = await self.raw.copy_records_to_table(table[-1], records=feed, columns=list(columns), schema_name=schema)
        count = _COUNT.search(done)
        return int(count[1]) if count else 0

    async def reset(self) -> None:
        """Leave nothing of a session behind."""
        await self.raw.reset()

    async def close(self) -> None:
        """Say goodbye and close."""
        await self.raw.close(timeout=2)

    def abort(self) -> None:
        """Close at once."""
        self.raw.terminate()

    def is_closed(self) -> bool:
        """Return whether it is known to be of no use."""
        return self.raw.is_closed()

    def is_cut(self) -> bool:
        """Return whether the server has ended it: the event loop has told asyncpg."""
        return self.raw.is_closed()

    def begin_session(self, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's adapter
        """Return SQLAlchemy's adapter of this connection."""
        if self._adapted is None:
            kind: Any = dialect_module.AsyncAdapt_asyncpg_connection
            self._adapted = kind(dialect.loaded_dbapi, self.raw)
        return self._adapted

    async def begin(self) -> None:
        """Send BEGIN, as SQLAlchemy's adapter does before its first statement."""
        if self._adapted._transaction is None:  # noqa: SLF001 - the adapter begins by itself and offers no other way
            await self._adapted._start_transaction()  # noqa: SLF001 - as above

    def end_session(self) -> None:
        """Nothing to do: asyncpg is in autocommit whenever no transaction runs."""


class AsyncpgDriver:
    """Opens asyncpg connections to one address."""

    name = "asyncpg"
    errors: tuple[type[Exception], ...] = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, UnicodeError, OverflowError)

    def __init__(self, url: Url) -> None:
        """Read the address.

        Raises:
            ConfigError: It asks for something that asyncpg cannot do.
        """
        self._url = url
        self._arguments = connect_arguments(url, {"timezone": "UTC", "application_name": "pgkeel"})
        self.dialect: Dialect = dialect_module.dialect()  # type: ignore[no-untyped-call]

    async def connect(self, seconds: float) -> AsyncpgConnection:
        """Open a connection within so many seconds.

        Raises:
            Unreachable: It cannot be done.
        """
        try:
            async with asyncio.timeout(seconds):
                raw = await asyncpg.connect(**self._arguments, timeout=seconds)
                await _read_json(raw)
        except self.errors as err:
            failure = Unreachable(f"cannot connect to {self._url}: {_reason(err)}", hint="`pgkeel status` shows what is running")
        else:
            return AsyncpgConnection(raw)
        raise failure

    def diagnose(self, error: Exception) -> Diagnosis:
        """Return what the error says about itself."""
        if isinstance(error, asyncpg.PostgresError):
            return _from_server(error)
        is_value = isinstance(error, (asyncpg.DataError, UnicodeError, OverflowError)) or (
            isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
        )
        is_lost = isinstance(error, _LOST) or (isinstance(error, asyncpg.InterfaceError) and "closed" in str(error))
        return Diagnosis(is_lost=is_lost and not is_value, is_value=is_value, kind=type(error).__name__)


def _from_server(error: asyncpg.PostgresError) -> Diagnosis:
    said: Any = error
    return Diagnosis(
        sqlstate=said.sqlstate or "",
        message=getattr(said, "message", "") or "",
        constraint=getattr(said, "constraint_name", "") or "",
        table=getattr(said, "table_name", "") or "",
        column=getattr(said, "column_name", "") or "",
        routine=getattr(said, "server_source_function", "") or "",
        is_lost=isinstance(error, _LOST),
        kind=type(error).__name__,
        line=copied_line(getattr(said, "context", None)),
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    said: str | None = getattr(error, "message" if isinstance(error, asyncpg.PostgresError) else "strerror", None)
    return said or type(error).__name__


async def _read_json(raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Let JSON arrive as Python values and leave as text, exactly as SQLAlchemy's dialect wants it."""
    await raw.set_type_codec("json", schema="pg_catalog", format="binary", encoder=str.encode, decoder=_from_json)
    await raw.set_type_codec("jsonb", schema="pg_catalog", format="binary", encoder=_to_jsonb, decoder=_from_jsonb)


def _to_jsonb(text: str) -> bytes:
    return b"\x01" + text.encode()


def _from_jsonb(wire: bytes) -> Any:  # noqa: ANN401 - any JSON value
    return _from_json(wire[1:])


def _from_json(text: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value; msgspec is five times faster and refuses the numbers that only the standard library can read."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return json.loads(text)
