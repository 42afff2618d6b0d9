"""Compiled statements on the connection of a unit of work."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from pgkeel.access._async.pool import Slot
from pgkeel.access._async.runner import Runner, drop_lost, each, rows_of
from pgkeel.access._colour.asynchronous import now
from pgkeel.access._drivers._async.port import Connection
from pgkeel.access.compiled import Compiled
from pgkeel.access.lasting import refuse_session_feature
from pgkeel.access.touched import Touched
from pgkeel.core.errors import KeelError

__all__ = ["TransactionRunner"]

T = TypeVar("T")


class UnitOfWork(Protocol):
    """Whose connection it is, and who has to know what happens on it.

    Attributes:
        touched: What it has written so far.
    """

    touched: Touched

    async def slot_for(self, sql: str, doing: str) -> Slot:
        """Return the transaction's place in the pool, pending changes flushed."""
        ...

    def failed(self, error: Exception, doing: str) -> KeelError:
        """Return our error for a statement's, and remember that the transaction can no longer be kept."""
        ...

    def mark_lasting(self, sql: str) -> None:
        """Remember that a statement may leave something of the session behind."""
        ...


class TransactionRunner(Runner):
    """Runs compiled statements on the connection of a unit of work."""

    __slots__ = ("_transaction",)
    is_autocommit = False

    def __init__(self, transaction: UnitOfWork, outer: Runner) -> None:
        """Run in this transaction, with what the handle's runner has."""
        super().__init__(outer.pool, outer.hooks, outer.caching)
        self._transaction = transaction

    async def one(self, query: Compiled[T], values: Sequence[object]) -> T | None:
        """Return the first row, or None."""
        bound = query.bind(values)
        record = await self._run(query.sql, query.doing, lambda connection: connection.fetch_row(query.sql, bound))
        return None if record is None else query.read(record)

    async def all(self, query: Compiled[T], values: Sequence[object]) -> list[T]:
        """Return all rows."""
        bound = query.bind(values)
        return query.read_all(await self._run(query.sql, query.doing, lambda connection: connection.fetch(query.sql, bound)))

    async def batches(self, query: Compiled[T], batches: Sequence[Sequence[object]]) -> list[T]:
        """Return the rows of a statement that is run for each batch of values; together they count as one."""
        return await self._run(query.sql, query.doing, lambda connection: each(connection, query, batches))

    async def copy(
        self, table: Sequence[str], columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[object]], doing: str
    ) -> int:
        """Write rows by COPY, all or none, and return how many."""
        return await self._run(doing, doing, lambda connection: connection.copy(table, columns, types, rows))

    async def sql(self, text: str, values: Sequence[object], into: Callable[..., T]) -> list[T]:
        """Run hand-written SQL and return its rows; a session setting it leaves is wiped after the transaction."""
        if self.pool.driver.is_pooled:
            refuse_session_feature(text)
        try:
            return await self.rows(text, values, into)
        finally:
            self._transaction.mark_lasting(text)

    async def touching(self, text: str, values: Sequence[object]) -> int:
        """Run SQL that gives no rows and return how many it touched."""
        if self.pool.driver.is_pooled:
            refuse_session_feature(text)
        try:
            return await self._run(text, "sql", lambda connection: connection.execute(text, values))
        finally:
            self._transaction.mark_lasting(text)

    async def rows(self, text: str, values: Sequence[object], into: Callable[..., T]) -> list[T]:
        """Run SQL that leaves nothing of the session behind, and return its rows."""
        return rows_of(await self._run(text, "sql", lambda connection: connection.fetch_named(text, values)), into)

    async def execute(self, text: str) -> int:
        """Run a statement without values and return how many rows it touched."""
        return await self._run(text, "transaction", lambda connection: connection.execute(text))

    async def announced(self, touched: Touched, work: Callable[[], Awaitable[T]]) -> T:
        """Write, and note it for the end of the transaction."""
        self._transaction.touched.add(touched)
        return await work()

    async def _run(self, sql: str, doing: str, work: Callable[[Connection], Awaitable[T]]) -> T:
        transaction = self._transaction
        slot = await transaction.slot_for(sql, doing)
        began = now()
        try:
            await slot.connection.begin()
            return await work(slot.connection)
        except self._errors as err:
            failure = transaction.failed(err, doing)
            drop_lost(slot, failure)
        finally:
            self.pool.note_slow(doing, now() - began)
        raise failure
