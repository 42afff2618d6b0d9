"""The second door: SQLAlchemy's engine on the connections of our pool, one budget for both."""

from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio.engine import AsyncEngine, create_async_engine
from sqlalchemy.ext.asyncio.session import AsyncSession
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState
from sqlalchemy.pool import Pool as AlchemyPool
from sqlalchemy.pool.base import _ConnectionRecord

from pgkeel.access._async.pool import TRANSACTION, Pool, Slot
from pgkeel.access._colour.asynchronous import IS_ASYNC, now, wait_for
from pgkeel.access.counting import counted
from pgkeel.access.lasting import refuse_session_feature, taints
from pgkeel.schema.sealed_compiler import guard
from pgkeel.schema.sealed_type import share_keys

__all__ = ["UNIT", "AsyncEngine", "AsyncSession", "engine_on"]

UNIT = "pgkeel_unit"
"""Where a connection keeps a weak reference to what hears of the statements of its unit of work."""


class _LentRecord(_ConnectionRecord):
    """SQLAlchemy's entry for a connection that belongs to our pool."""

    def __init__(self, pool: "_Lender", slot: Slot) -> None:
        super().__init__(pool, connect=False)
        self.slot = slot


class _Lender(AlchemyPool):
    """Takes connections from our pool for SQLAlchemy and puts them back."""

    _is_asyncio = IS_ASYNC

    def __init__(self, pool: Pool) -> None:
        super().__init__(cast("Any", self._adapt), reset_on_return=None)
        self.lends = pool

    def _adapt(self, record: ConnectionPoolEntry) -> DBAPIConnection:
        slot = cast("_LentRecord", record).slot
        return cast("DBAPIConnection", slot.connection.begin_session(cast("Dialect", self._dialect)))

    def _do_get(self) -> _ConnectionRecord:
        slot = self.lends.take(TRANSACTION) or wait_for(self.lends.wait(TRANSACTION))
        if isinstance(slot.record, _LentRecord):
            slot.connection.begin_session(cast("Dialect", self._dialect))
            return slot.record
        slot.record = record = _LentRecord(self, slot)
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        slot = cast("_LentRecord", record).slot
        if record.dbapi_connection is None or slot.is_tainted:
            self.lends.discard(slot)
            return
        try:
            slot.connection.end_session()
        except self.lends.driver.errors:
            self.lends.discard(slot)
        else:
            self.lends.release(slot)

    def recreate(self) -> "_Lender":
        """Return another lender of the same pool."""
        return _Lender(self.lends)

    def dispose(self) -> None:
        """Nothing to do: the connections belong to our pool."""

    def status(self) -> str:
        """Return the pool's size in words."""
        return f"{self.lends.size} open, {self.lends.free} free"


def engine_on(pool: Pool) -> AsyncEngine:
    """Return an engine that uses the pool's connections and writes no bound value into its errors."""
    lender = _Lender(pool)
    engine = create_async_engine(f"postgresql+{pool.driver.name}://", pool=lender, hide_parameters=True)
    share_keys(pool.driver.dialect, engine.dialect)
    guard(engine.dialect)
    if pool.driver.name == "asyncpg":
        lender.dispatch.connect.clear()  # its codecs for JSON are on our connections already; to set them drops all statements
    event.listen(getattr(engine, "sync_engine", engine), "before_cursor_execute", _watch)
    event.listen(getattr(engine, "sync_engine", engine), "after_cursor_execute", _measure)
    event.listen(lender, "reset", _clean)
    event.listen(getattr(engine, "sync_engine", engine), "handle_error", _give_up)
    return engine


def _watch(
    connection: Any,  # noqa: ANN401 - SQLAlchemy's event
    _cursor: object,
    statement: str,
    _parameters: object,
    context: Any,  # noqa: ANN401 - as above
    _many: object,
) -> None:
    """Count a statement, tell the unit of work of it, and remember that it may leave something of the session behind."""
    counted(statement, TRANSACTION)
    unit = connection.info.get(UNIT)
    if unit is not None and (noted := unit()) is not None:
        noted(statement, context)
    pool = connection.engine.pool.lends
    if pool.driver.is_pooled:
        refuse_session_feature(statement)
    elif taints(statement):
        connection.connection._connection_record.slot.is_tainted = True  # noqa: SLF001 - the way to our own record
    connection.info["pgkeel_began"] = now()


def _measure(connection: Any, *_rest: object) -> None:  # noqa: ANN401 - SQLAlchemy's event
    """Note a statement that took long."""
    connection.engine.pool.lends.note_slow(TRANSACTION, now() - connection.info["pgkeel_began"])


def _give_up(context: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
    """Let SQLAlchemy drop a connection that was lost, also where it does not see that."""
    driver = context.engine.pool.lends.driver
    for error in (getattr(context.original_exception, "__cause__", None), context.original_exception):
        if isinstance(error, driver.errors) and driver.diagnose(error).is_lost:
            context.is_disconnect = True


def _clean(connection: Any, record: Any, state: PoolResetState) -> None:  # noqa: ANN401 - SQLAlchemy's event
    """Roll back, and wipe the session where it needs it; where nobody can wait, the connection is given up instead."""
    if state.terminate_only or not state.asyncio_safe:
        record.slot.is_tainted = True
        return
    connection.rollback()
    if record.slot.is_tainted:
        wait_for(record.slot.connection.reset())
        record.slot.is_tainted = False
