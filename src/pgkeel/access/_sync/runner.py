# Generated from pgkeel/access/_async/runner.py by tools/unasync.py; do not edit.
"""Run compiled statements on the pool's connections, in autocommit, and turn the server's errors into ours."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

from pgkeel.access._drivers._sync.port import Connection
from pgkeel.access._drivers.diagnosis import error_of
from pgkeel.access._sync.hooks import Caches, Hook
from pgkeel.access._sync.pool import Pool, Slot
from pgkeel.access.actor import SIGNATURE, current_actor
from pgkeel.access.compiled import Compiled
from pgkeel.access.counting import counted, current_scope, task_scopes
from pgkeel.access.errors import AccessError, ConnectionLost
from pgkeel.access.handwritten import reader
from pgkeel.access.lasting import refuse_session_feature, taints
from pgkeel.access.touched import Touched
from pgkeel.core.errors import KeelError
from pgkeel.core.log import get_logger

__all__ = ["Runner", "drop_lost", "each", "rows_of", "tell"]

T = TypeVar("T")
log = get_logger(__name__)


class Runner:
    """The hot path.

    Attributes:
        pool: Where the connections come from.
        hooks: Who is told of writes.
        caching: The cache in front of reads, or None.
        is_autocommit: Whether each statement is a transaction of its own.
    """

    __slots__ = ("_errors", "caching", "hooks", "pool")
    is_autocommit = True

    def __init__(self, pool: Pool, hooks: Sequence[Hook] = (), caching: Caches | None = None) -> None:
        """Run on this pool."""
        self.pool = pool
        self.caching = caching
        self.hooks = tuple(hooks)
        self._errors = pool.driver.errors

    def one(self, query: Compiled[T], values: Sequence[object]) -> T | None:
        """Return the first row, or None."""
        pool = self.pool
        slot = pool.take(query.doing)
        if slot is None:
            slot = pool.wait(query.doing)
        try:
            if current_scope() is not None or task_scopes:
                counted(query.sql, query.doing)
            slot.is_tainted = query.may_last
            record = slot.connection.fetch_row(query.sql, query.bind(values))
        except self._errors as err:
            failure = drop_lost(slot, self.failure(err, query.doing))
        else:
            if record is None:
                return None
            return query.into(*record[:]) if query.is_plain else query.read(record)
        finally:
            if slot.is_tainted:
                self._put_back(slot)
            else:
                pool.release(slot)
        raise failure

    def all(self, query: Compiled[T], values: Sequence[object]) -> list[T]:
        """Return all rows."""
        pool = self.pool
        slot = pool.take(query.doing)
        if slot is None:
            slot = pool.wait(query.doing)
        try:
            if current_scope() is not None or task_scopes:
                counted(query.sql, query.doing)
            slot.is_tainted = query.may_last
            records = slot.connection.fetch(query.sql, query.bind(values))
        except self._errors as err:
            failure = drop_lost(slot, self.failure(err, query.doing))
        else:
            return query.read_all(records)
        finally:
            if slot.is_tainted:
                self._put_back(slot)
            else:
                pool.release(slot)
        raise failure

    def copy(
        self, table: Sequence[str], columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[object]], doing: str
    ) -> int:
        """Write rows by COPY, all or none, and return how many."""
        actor, place = current_actor(), (table, columns, types)
        slot = self.slot(doing)
        try:
            if actor is not None:
                return self._together(slot, lambda connection: _signed_copy(connection, actor, place, rows))
            return slot.connection.copy(*place, rows)
        except self._errors as err:
            failure = drop_lost(slot, self.failure(err, doing))
        finally:
            self.pool.release(slot)
        raise failure

    def batches(self, query: Compiled[T], batches: Sequence[Sequence[object]]) -> list[T]:
        """Return the rows of a statement that is run for each batch of values, all or none; together they count as one."""
        if len(batches) == 1:
            return self.all(query, batches[0])
        slot = self.slot(query.doing)
        try:
            counted(query.sql, query.doing)
            slot.is_tainted = query.may_last
            return self._together(slot, lambda connection: each(connection, query, batches))
        except self._errors as err:
            failure = drop_lost(slot, self.failure(err, query.doing))
        finally:
            self._put_back(slot)
        raise failure

    def _together(self, slot: Slot, work: Callable[[Connection], T]) -> T:
        """Do some work in a transaction; where the transaction does not come to an end (cancelled, lost), the connection does."""
        connection, is_over = slot.connection, False
        try:
            connection.execute("BEGIN")
            result = work(connection)
            connection.execute("COMMIT")
            is_over = True
        except Exception:
            with suppress(*self._errors):
                connection.execute("ROLLBACK")
                is_over = True
            raise
        finally:
            if not is_over:
                connection.abort()
        return result

    def sql(self, text: str, values: Sequence[object], into: Callable[..., T]) -> list[T]:
        """Run hand-written SQL and return its rows; a session setting it leaves is wiped."""
        return rows_of(self._handwritten(text, lambda connection: connection.fetch_named(text, values)), into)

    def touching(self, text: str, values: Sequence[object]) -> int:
        """Run SQL that gives no rows and return how many it touched."""
        return self._handwritten(text, lambda connection: connection.execute(text, values))

    def _handwritten(self, text: str, work: Callable[[Connection], T]) -> T:
        doing = "sql"
        slot = self.slot(doing)
        try:
            counted(text, doing)
            slot.is_tainted = self._may_last(text)
            return work(slot.connection)
        except self._errors as err:
            failure = drop_lost(slot, self.failure(err, doing))
        finally:
            self._put_back(slot)
        raise failure

    def announced(self, touched: Touched, work: Callable[[], T]) -> T:
        """Write in autocommit, and tell the hooks before and after: `announced(touched, lambda: self.one(…))`."""
        if not self.hooks:
            return work()
        for hook in self.hooks:
            hook.before_commit(touched)
        try:
            result = work()
        except AccessError:
            tell(self.hooks, touched, is_kept=False)
            raise
        tell(self.hooks, touched, is_kept=True)
        return result

    def slot(self, doing: str) -> Slot:
        """Return a connection; the caller releases it."""
        return self.pool.take(doing) or self.pool.wait(doing)

    def failure(self, error: Exception, doing: str) -> KeelError:
        """Return our error for a driver's."""
        diagnosis = self.pool.driver.diagnose(error)
        failure = error_of(diagnosis, doing)
        if diagnosis.line and isinstance(failure, AccessError):
            failure.row = diagnosis.line - 1
        return failure

    def _may_last(self, sql: str) -> bool:
        """Return whether the connection must be wiped after a statement; behind a pooler, what would last is refused."""
        if self.pool.driver.is_pooled:
            refuse_session_feature(sql)
            return False
        return taints(sql)

    def _put_back(self, slot: Slot) -> None:
        if not slot.is_tainted or not slot.connection.is_open() or self.pool.driver.is_pooled:
            slot.is_tainted = False
            self.pool.release(slot)
            return
        try:
            slot.connection.reset()
        except BaseException:
            self.pool.discard(slot)
            raise
        slot.is_tainted = False
        self.pool.release(slot)


def each(connection: Connection, query: Compiled[T], batches: Iterable[Sequence[object]]) -> list[T]:
    """Run a statement for each batch of values and return all rows."""
    rows: list[T] = []
    for values in batches:
        rows += query.read_all(connection.fetch(query.sql, query.bind(values)))
    return rows


def _signed_copy(
    connection: Connection,
    actor: str,
    place: tuple[Sequence[str], Sequence[str], Sequence[str]],
    rows: Iterable[Sequence[object]],
) -> int:
    """Run COPY, which cannot say who writes, behind a statement that does."""
    connection.execute(f"SELECT {SIGNATURE.format(place=1)}", (actor,))
    return connection.copy(*place, rows)


def drop_lost(slot: Slot, failure: KeelError) -> KeelError:
    """Close a connection that was lost, so that nobody gets it even where the driver does not know; return the failure."""
    if isinstance(failure, ConnectionLost):
        slot.connection.abort()
    return failure


def rows_of(found: tuple[Sequence[str], Iterable[Iterable[object]]], into: Callable[..., T]) -> list[T]:
    """Return records as what the caller wants of them; none when the statement gives no rows."""
    names, records = found
    read = reader(into, names) if names else None
    return [] if read is None else [read(record) for record in records]


def tell(hooks: Sequence[Hook], touched: Touched, *, is_kept: bool) -> None:
    """Tell the hooks how it ended; what one raises cannot change that any more."""
    for hook in hooks:
        try:
            (hook.after_commit(touched) if is_kept else hook.after_rollback(touched))
        except Exception as err:  # noqa: BLE001 - the transaction has ended, whatever a listener makes of it
            log.warning("access.hook_failed", hook=type(hook).__name__, kept=is_kept, error=type(err).__name__)
