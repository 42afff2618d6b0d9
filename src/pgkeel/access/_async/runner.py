"""Run compiled statements on the pool's connections, in autocommit, and turn the server's errors into ours."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from pgkeel.access._async.pool import Pool, Slot
from pgkeel.access._drivers.diagnosis import error_of
from pgkeel.access.compiled import Compiled
from pgkeel.access.errors import AccessError
from pgkeel.access.handwritten import reader, taints
from pgkeel.core.errors import KeelError

__all__ = ["Runner"]

T = TypeVar("T")


class Runner:
    """The hot path.

    Attributes:
        is_autocommit: Whether each statement is a transaction of its own.
    """

    __slots__ = ("_errors", "pool")
    is_autocommit = True

    def __init__(self, pool: Pool) -> None:
        """Run on this pool."""
        self.pool = pool
        self._errors = pool.driver.errors

    async def one(self, query: Compiled[T], values: Sequence[object]) -> T | None:
        """Return the first row, or None."""
        pool = self.pool
        slot = pool.take(query.doing)
        if slot is None:
            slot = await pool.wait(query.doing)
        try:
            record = await slot.connection.fetch_row(query.sql, query.bind(values))
        except self._errors as err:
            failure = self.failure(err, query.doing)
        else:
            return None if record is None else query.read(record)
        finally:
            pool.release(slot)
        raise failure

    async def all(self, query: Compiled[T], values: Sequence[object]) -> list[T]:
        """Return all rows."""
        pool = self.pool
        slot = pool.take(query.doing)
        if slot is None:
            slot = await pool.wait(query.doing)
        try:
            records = await slot.connection.fetch(query.sql, query.bind(values))
        except self._errors as err:
            failure = self.failure(err, query.doing)
        else:
            return query.read_all(records)
        finally:
            pool.release(slot)
        raise failure

    async def copy(
        self, table: Sequence[str], columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[object]], doing: str
    ) -> int:
        """Write rows by COPY, all or none, and return how many."""
        slot = await self.slot(doing)
        try:
            return await slot.connection.copy(table, columns, types, rows)
        except self._errors as err:
            failure = self.failure(err, doing)
        finally:
            self.pool.release(slot)
        raise failure

    async def sql(self, text: str, values: Sequence[object], into: Callable[..., T]) -> list[T]:
        """Run hand-written SQL and return its rows; a session setting it leaves is wiped."""
        doing = "sql"
        slot = await self.slot(doing)
        slot.is_tainted = taints(text)
        try:
            names, records = await slot.connection.fetch_named(text, values)
            read = reader(into, names) if names else None
            return [] if read is None else [read(record) for record in records]
        except self._errors as err:
            failure = self.failure(err, doing)
        finally:
            await self._put_back(slot)
        raise failure

    async def slot(self, doing: str) -> Slot:
        """Return a connection; the caller releases it."""
        return self.pool.take(doing) or await self.pool.wait(doing)

    def failure(self, error: Exception, doing: str) -> KeelError:
        """Return our error for a driver's."""
        diagnosis = self.pool.driver.diagnose(error)
        failure = error_of(diagnosis, doing)
        if diagnosis.line and isinstance(failure, AccessError):
            failure.row = diagnosis.line - 1
        return failure

    async def _put_back(self, slot: Slot) -> None:
        if not slot.is_tainted or slot.connection.is_closed():
            self.pool.release(slot)
            return
        try:
            await slot.connection.reset()
        except BaseException:
            self.pool.discard(slot)
            raise
        slot.is_tainted = False
        self.pool.release(slot)
