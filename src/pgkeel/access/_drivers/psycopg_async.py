"""psycopg 3 for coroutines: slower than asyncpg, but with channel binding and everything else that libpq can do."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import psycopg
from psycopg import AsyncRawCursor
from psycopg.rows import TupleRow
from sqlalchemy.dialects.postgresql import psycopg as dialect_module
from sqlalchemy.engine import Dialect

from pgkeel.access._drivers import psycopg_common as common
from pgkeel.access._drivers._async.port import Pooler, Record
from pgkeel.access._drivers.diagnosis import Diagnosis
from pgkeel.access._drivers.feed import Feed
from pgkeel.access._drivers.network import refuse_settings
from pgkeel.core.errors import Unreachable
from pgkeel.core.url import Url

__all__ = ["PsycopgAsyncConnection", "PsycopgAsyncDriver"]


class PsycopgAsyncConnection:
    """One psycopg connection."""

    __slots__ = ("_adapted", "raw")

    def __init__(self, raw: "psycopg.AsyncConnection[TupleRow]", *, has_names: bool = True) -> None:
        """Keep the driver's connection; where names get lost no door names a statement, SQLAlchemy's included."""
        self.raw = raw
        if not has_names:
            raw.prepare_threshold = None  # outweighs `prepare=True`
        self._adapted: Any = None

    async def _run(self, sql: str, values: Sequence[object]) -> "AsyncRawCursor[TupleRow]":
        cursor = AsyncRawCursor(self.raw)
        cursor.format = psycopg.pq.Format.BINARY
        try:
            return await cursor.execute(sql, values, prepare=True)
        except psycopg.errors.FeatureNotSupported as err:
            if err.sqlstate != common.STALE_PLAN or self.raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                raise
        await self.raw.execute("DEALLOCATE ALL")
        return await cursor.execute(sql, values, prepare=True)

    async def fetch_row(self, sql: str, values: Sequence[object]) -> Record | None:
        """Return the first row, or None."""
        return await (await self._run(sql, values)).fetchone()

    async def fetch(self, sql: str, values: Sequence[object]) -> Sequence[Record]:
        """Return all rows."""
        return await (await self._run(sql, values)).fetchall()

    async def fetch_named(self, sql: str, values: Sequence[object]) -> tuple[tuple[str, ...], Sequence[Record]]:
        """Return column names and all rows."""
        cursor = await self._run(sql, values)
        if cursor.description is None:
            return (), ()
        return tuple(column.name for column in cursor.description), await cursor.fetchall()

    async def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run it and return how many rows it touched."""
        if not values:
            return max(0, (await self.raw.execute(sql)).rowcount)
        return max(0, (await self._run(sql, values)).rowcount)

    async def copy(
        self, table: Sequence[str], columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[object]]
    ) -> int:
        """Write rows by COPY, in binary where psycopg knows all types."""
        is_binary = all(map(common.has_type, types))
        feed = Feed(rows)
        async with self.raw.cursor() as cursor:
            with feed.refusing(psycopg.DataError, (psycopg.Error,)):
                async with cursor.copy(common.copy_statement(table, columns, is_binary=is_binary)) as copy:
                    if is_binary:
                        copy.set_types(types)
                    for row in feed:
                        await copy.write_row(row)
            return cursor.rowcount

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
        await self.raw.rollback()
        await self.raw.set_autocommit(True)
        for statement in common.RESET:
            await self.raw.execute(statement)

    async def close(self) -> None:
        """Close; libpq says goodbye by itself."""
        await self.raw.close()

    def abort(self) -> None:
        """Close at once."""
        self.raw.pgconn.finish()

    def is_open(self) -> bool:
        """Return whether it is not known to be of no use."""
        return not self.raw.closed

    def is_cut(self) -> bool:
        """Return whether the server has ended it while it lay unused."""
        return self.raw.closed or common.is_readable(self.raw.fileno())

    def begin_session(self, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's adapter
        """Return SQLAlchemy's adapter of this connection, out of autocommit."""
        if self._adapted is None:
            self._adapted = dialect_module.AsyncAdapt_psycopg_connection(dialect.loaded_dbapi, cast("Any", self.raw))
        self._adapted.autocommit = False
        return self._adapted

    async def begin(self) -> None:
        """Nothing to do: psycopg sends BEGIN with the first statement."""

    def end_session(self) -> None:
        """Return to autocommit."""
        if not self.raw.closed:
            self._adapted.autocommit = True


class PsycopgAsyncDriver:
    """Opens psycopg connections to one address."""

    name = "psycopg"
    errors = common.ERRORS

    def __init__(self, url: Url, settings: Mapping[str, str] | None = None) -> None:
        """Keep the address, and settings of every session."""
        self._url = url
        self._settings = dict(settings or {})
        self.is_pooled, self.has_names = False, True
        self.dialect = common.new_dialect()

    async def connect(self, seconds: float) -> PsycopgAsyncConnection:
        """Open a connection within so many seconds.

        Raises:
            Unreachable: It cannot be done.
        """
        keywords: dict[str, Any] = common.connect_keywords(self._url, seconds, self._settings, is_pooled=self.is_pooled)
        try:
            async with asyncio.timeout(seconds):
                raw = await psycopg.AsyncConnection.connect(autocommit=True, **keywords)
                if self.is_pooled:
                    await raw.execute("SET timezone = 'UTC'")
        except common.ERRORS as err:
            if common.is_refused_option(err) and not self.is_pooled:
                self.is_pooled = True
                return await self.connect(seconds)
            failure = Unreachable(
                f"cannot connect to {self._url}: {common.reason(err)}", hint="`pgkeel status` shows what is running"
            )
        else:
            return PsycopgAsyncConnection(raw, has_names=self.has_names)
        raise failure

    async def recognise(self, pooler: Pooler, seconds: float) -> None:
        """Find out what stands before the server."""
        if pooler == "none":
            return
        self.has_names = False
        probe = await self.connect(seconds)
        try:
            row = await probe.fetch_row("SELECT pg_backend_pid()", ())
            number: object = row[:][0] if row else None
            self.is_pooled = self.is_pooled or pooler == "transaction" or probe.raw.info.backend_pid != number
            if self.is_pooled:
                refuse_settings(self._settings)
            self.has_names = not self.is_pooled or await _gets_other_names(probe.raw)
        finally:
            await probe.close()

    def diagnose(self, error: Exception) -> Diagnosis:
        """Return what the error says about itself."""
        return common.diagnose(error)


async def _gets_other_names(raw: "psycopg.AsyncConnection[TupleRow]") -> bool:
    """Return whether a named statement has another name on the server: the pooler knows it, and gives it to any server."""
    raw.prepare_threshold = 5  # psycopg's own; with none it obeys no `prepare=True`
    await raw.execute("BEGIN")
    try:
        await raw.execute(common.PROBE, prepare=True)
    except psycopg.errors.DuplicatePreparedStatement:
        return False
    is_same = await (await raw.execute(common.PROBE_NAMES, prepare=False)).fetchone() is not None
    if is_same:
        await raw.execute("DEALLOCATE ALL")
    await raw.execute("COMMIT")
    return not is_same
