"""asyncpg: the fastest way from a coroutine to the server."""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import asyncpg
from sqlalchemy.dialects.postgresql import asyncpg as dialect_module
from sqlalchemy.engine import Dialect

from pgkeel.access._drivers._async.port import Pooler, Record
from pgkeel.access._drivers.asyncpg_address import connect_arguments
from pgkeel.access._drivers.asyncpg_json import copy_json, read_json
from pgkeel.access._drivers.diagnosis import Diagnosis, copied_line
from pgkeel.access._drivers.feed import Feed
from pgkeel.access._drivers.network import keep_alive, refuse_settings
from pgkeel.core.errors import Unreachable
from pgkeel.core.log import get_logger
from pgkeel.core.url import Url

__all__ = ["AsyncpgConnection", "AsyncpgDriver"]

log = get_logger(__name__)
_KNOWN = "0.32."
_NOTHING: dict[object, object] = {}  # of a release that is not known, no statement is known to be prepared
_COUNT = re.compile(r" (\d+)$")
_OUTDATED = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)
_LOST = (asyncpg.ConnectionDoesNotExistError, asyncpg.ConnectionFailureError, asyncpg.InternalClientError, OSError)
_ERRORS: tuple[type[Exception], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # its protocol is out of step: the connection is of no use
    OSError,
    UnicodeError,
    OverflowError,
)


def is_known_release() -> bool:
    """Return whether asyncpg is of the release whose insides are used here."""
    return asyncpg.__version__.startswith(_KNOWN)


class AsyncpgConnection:
    """One asyncpg connection."""

    __slots__ = ("_adapted", "_has_names", "_prepared", "_protocol", "is_cut", "is_open", "raw")

    def __init__(self, raw: "asyncpg.Connection[asyncpg.Record]", *, has_names: bool = True) -> None:
        """Keep the driver's connection.

        Its list of prepared statements and its protocol are asyncpg's own; they are read, never written. What it does around
        them on every call costs as much as all that we do. Of a release whose insides nobody has read, only what it documents
        is used.
        """
        line: Any = raw
        self.raw = raw
        self.is_cut: Callable[[], bool] = raw.is_closed  # the event loop has told asyncpg what the server did
        self.is_open: Callable[[], bool] = lambda: not raw.is_closed()
        self._has_names = has_names
        self._adapted: Any = None
        self._protocol: Any = None
        self._prepared: Any = _NOTHING.get
        if is_known_release():
            self._protocol = line._protocol  # noqa: SLF001 - as above
            self._prepared = line._stmt_cache.get  # noqa: SLF001 - as above
            self.is_open = self._protocol.is_connected

    async def fetch_row(self, sql: str, values: Sequence[object]) -> Record | None:
        """Return the first row, or None."""
        known = self._prepared((sql, asyncpg.Record, False))
        if known is None:
            return await self.raw.fetchrow(sql, *values)
        try:
            records = await self._protocol.bind_execute(known, values, "", 1, False, None)
        except _OUTDATED as err:
            await self._renew(err)
        else:
            return records[0] if records else None
        return await self.raw.fetchrow(sql, *values)

    async def fetch(self, sql: str, values: Sequence[object]) -> Sequence[Record]:
        """Return all rows."""
        known = self._prepared((sql, asyncpg.Record, False))
        if known is None:
            return await self.raw.fetch(sql, *values)
        try:
            found: Sequence[Record] = await self._protocol.bind_execute(known, values, "", 0, False, None)
        except _OUTDATED as err:
            await self._renew(err)
        else:
            return found
        return await self.raw.fetch(sql, *values)

    async def _renew(self, error: Exception) -> None:
        """Forget what was prepared, as asyncpg does: the table or a type has changed; raise where nothing can be run again."""
        line: Any = self.raw
        if isinstance(error, asyncpg.InvalidCachedStatementError):
            line._drop_global_statement_cache()  # noqa: SLF001 - as above
            if self.raw.is_in_transaction():
                raise error
        else:
            await self.raw.reload_schema_state()
            raise error

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
        types: Sequence[str],
        rows: Iterable[Sequence[object]],
    ) -> int:
        """Write rows by binary COPY; asyncpg asks the server for the types."""
        schema = table[0] if len(table) > 1 else None
        feed = Feed(rows)
        has_json = await copy_json(self.raw, types)
        with feed.refusing(asyncpg.DataError, (asyncpg.InterfaceError,)):
            done = await self.raw.copy_records_to_table(table[-1], records=feed, columns=list(columns), schema_name=schema)
        if has_json:
            await read_json(self.raw)
        count = _COUNT.search(done)
        return int(count[1]) if count else 0

    async def ping(self, seconds: float) -> bool:
        """Return whether the server answers in time."""
        try:
            async with asyncio.timeout(seconds):
                await self.raw.execute("SELECT 1")
        except TimeoutError:
            return False
        return True

    async def reset(self) -> None:
        """Leave nothing of a session behind."""
        await self.raw.reset()

    async def close(self) -> None:
        """Say goodbye and close."""
        await self.raw.close(timeout=2)

    def abort(self) -> None:
        """Close at once."""
        self.raw.terminate()

    def begin_session(self, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's adapter
        """Return SQLAlchemy's adapter of this connection."""
        if self._adapted is None:
            kind: Any = dialect_module.AsyncAdapt_asyncpg_connection
            unnamed = {} if self._has_names else {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
            self._adapted = kind(dialect.loaded_dbapi, self.raw, **unnamed)
        return self._adapted

    async def begin(self) -> None:
        """Send BEGIN, as SQLAlchemy's adapter does before its first statement."""
        if self._adapted._transaction is None:  # noqa: SLF001 - the adapter begins by itself and offers no other way
            try:
                await self._adapted._start_transaction()  # noqa: SLF001 - as above
            except dialect_module.AsyncAdapt_asyncpg_dbapi.Error as err:
                raise (err.__cause__ or err) from None

    def end_session(self) -> None:
        """Refuse to go on with a transaction that did not end: asyncpg is in autocommit whenever none runs."""
        if not self.raw.is_closed() and self.raw.is_in_transaction():
            raise asyncpg.InterfaceError("a transaction is still open")


class AsyncpgDriver:
    """Opens asyncpg connections to one address."""

    name = "asyncpg"
    errors = _ERRORS

    def __init__(self, url: Url, settings: Mapping[str, str] | None = None) -> None:
        """Read the address.

        Args:
            url: The address.
            settings: Settings of every session.

        Raises:
            ConfigError: It asks for something that asyncpg cannot do.
        """
        if not is_known_release():
            log.warning("access.unknown_asyncpg", version=asyncpg.__version__, known=f"{_KNOWN}*", costs="a tenth of a read")
        self._url = url
        self._settings = dict(settings or {})
        self._arguments = connect_arguments(url, {"timezone": "UTC", "application_name": "pgkeel"})
        self.is_pooled, self.has_names = False, True
        self.dialect: Dialect = dialect_module.dialect()  # type: ignore[no-untyped-call]

    async def connect(self, seconds: float) -> AsyncpgConnection:
        """Open a connection within so many seconds.

        Raises:
            Unreachable: It cannot be done.
        """
        return await self._connect(seconds, self._settings)

    async def _connect(self, seconds: float, settings: Mapping[str, str]) -> AsyncpgConnection:
        arguments = self._arguments | {"server_settings": {**self._arguments["server_settings"], **settings}}
        try:
            async with asyncio.timeout(seconds):
                cached = 100 if self.has_names else 0
                raw = await asyncpg.connect(**arguments, timeout=seconds, statement_cache_size=cached)
                await read_json(raw)
        except self.errors as err:
            failure = Unreachable(f"cannot connect to {self._url}: {_reason(err)}", hint="`pgkeel status` shows what is running")
        else:
            keep_alive(getattr(raw, "_transport", None))  # asyncpg offers no other way to its socket
            return AsyncpgConnection(raw, has_names=self.has_names)
        raise failure

    async def recognise(self, pooler: Pooler, seconds: float) -> None:
        """Find out what stands before the server."""
        if pooler == "none":
            return
        self.has_names = False
        probe = await self._connect(seconds, {})
        try:
            raw = probe.raw
            self.is_pooled = pooler == "transaction" or raw.get_server_pid() != await raw.fetchval("SELECT pg_backend_pid()")
            if self.is_pooled:
                refuse_settings(self._settings)
            self.has_names = not self.is_pooled or await _gets_other_names(raw)
        finally:
            await probe.close()

    def diagnose(self, error: Exception) -> Diagnosis:
        """Return what the error says about itself."""
        if isinstance(error, asyncpg.PostgresError):
            return _from_server(error)
        is_value = isinstance(error, (asyncpg.DataError, UnicodeError, OverflowError)) or (
            isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
        )
        is_lost = isinstance(error, _LOST) or (isinstance(error, asyncpg.InterfaceError) and "closed" in str(error))
        return Diagnosis(is_lost=is_lost and not is_value, is_value=is_value, kind=type(error).__name__)


async def _gets_other_names(raw: "asyncpg.Connection[asyncpg.Record]") -> bool:
    """Return whether a named statement has another name on the server: the pooler knows it, and gives it to any server."""
    async with raw.transaction():
        try:
            probe = await raw.prepare("SELECT 1 AS pgkeel_probe", name="pgkeel_probe")
        except asyncpg.DuplicatePreparedStatementError:
            return False
        has_kept = await raw.fetchval("SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'pgkeel_probe')")
        if has_kept:
            await raw.execute("DEALLOCATE pgkeel_probe")
        del probe  # asyncpg closes a statement that nobody holds
    return not has_kept


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
