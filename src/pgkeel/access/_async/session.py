"""The second door: SQLAlchemy's engine on the connections of our pool, one budget for both."""

from typing import Any, cast

from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.pool import Pool as AlchemyPool
from sqlalchemy.pool.base import _ConnectionRecord

from pgkeel.access._async.pool import Pool, Slot
from pgkeel.access._colour.asynchronous import wait_for

__all__ = ["AsyncEngine", "AsyncSession", "engine_on"]

_DOING = "transaction"


class _LentRecord(_ConnectionRecord):
    """SQLAlchemy's entry for a connection that belongs to our pool."""

    def __init__(self, pool: "_Lender", slot: Slot) -> None:
        super().__init__(pool, connect=False)
        self.slot = slot


class _Lender(AlchemyPool):
    """Takes connections from our pool for SQLAlchemy and puts them back."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(self._adapt, reset_on_return="rollback")
        self._pool = pool

    def _adapt(self, record: ConnectionPoolEntry) -> DBAPIConnection:
        slot = cast("_LentRecord", record).slot
        return cast("DBAPIConnection", slot.connection.begin_session(self._dialect))

    def _do_get(self) -> _ConnectionRecord:
        slot = self._pool.take(_DOING) or wait_for(self._pool.wait(_DOING))
        if isinstance(slot.record, _LentRecord):
            slot.connection.begin_session(self._dialect)
            return slot.record
        slot.record = record = _LentRecord(self, slot)
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        slot = cast("_LentRecord", record).slot
        try:
            slot.connection.end_session()
        except self._pool.driver.errors:
            self._pool.discard(slot)
            return
        slot.is_tainted = True
        if record.dbapi_connection is None:
            self._pool.discard(slot)
        else:
            self._pool.release(slot)

    def recreate(self) -> "_Lender":
        """Return another lender of the same pool."""
        return _Lender(self._pool)

    def dispose(self) -> None:
        """Nothing to do: the connections belong to our pool."""

    def status(self) -> str:
        """Return the pool's size in words."""
        return f"{self._pool.size} open, {self._pool.free} free"


def engine_on(pool: Pool) -> AsyncEngine:
    """Return an engine that uses the pool's connections and writes no bound value into its errors."""
    url = f"postgresql+{pool.driver.name}://"
    options: dict[str, Any] = {"pool": _Lender(pool), "hide_parameters": True, "future": True}
    return create_async_engine(url, **options)
