"""The second door's unit of work: SQLAlchemy's session, hand-written SQL and repositories in one transaction."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any, Literal, TypeVar, overload
from weakref import WeakMethod

from sqlalchemy import event, func, literal_column, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError

from pgkeel.access._async.asking import ask, ask_rows
from pgkeel.access._async.inside import TransactionRunner
from pgkeel.access._async.pool import Slot
from pgkeel.access._async.repositories import Repositories
from pgkeel.access._async.repository import Repository
from pgkeel.access._async.runner import Runner, tell
from pgkeel.access._async.session import UNIT, AsyncEngine, AsyncSession
from pgkeel.access.actor import SIGNATURE, current_actor
from pgkeel.access.asked import Asked
from pgkeel.access.counting import counted
from pgkeel.access.errors import (
    CommitUnknown,
    Conflict,
    ConnectionLost,
    SchemaChanged,
    StatementFailed,
    TransactionAborted,
)
from pgkeel.access.event import Event
from pgkeel.access.handwritten import arranged
from pgkeel.access.lasting import taints
from pgkeel.access.locks import lock_name
from pgkeel.access.once import Begun, as_json, from_json
from pgkeel.access.own_sql import own
from pgkeel.access.touched import Touched
from pgkeel.core.errors import KeelError, UsageError
from pgkeel.postgres import Query
from pgkeel.schema import HasRow

__all__ = ["Isolation", "Transaction"]

R = TypeVar("R")
T = TypeVar("T")
Isolation = Literal["read committed", "repeatable read", "serializable"]
_LEVELS = ("read committed", "repeatable read", "serializable")
_MODES: Mapping[tuple[str | None, bool], str] = {
    **{(level, False): f"SET TRANSACTION ISOLATION LEVEL {level}" for level in _LEVELS},
    **{(level, True): f"SET TRANSACTION ISOLATION LEVEL {level}, READ ONLY" for level in _LEVELS},
    (None, True): "SET TRANSACTION READ ONLY",
}
_OPEN, _COMMITTING, _KEPT, _GONE = range(4)


class Transaction(AsyncSession):
    """One transaction: an ORM session that `Database.transaction` commits at the end of its block.

    `sql` and `repository` run on the same connection, in the same transaction; pending ORM changes are flushed before they do.

    Attributes:
        touched: What it has written so far.
    """

    def __init__(self, engine: AsyncEngine, runner: Runner, repositories: Repositories) -> None:
        """Prepare; nothing is sent before the first statement."""
        super().__init__(engine, expire_on_commit=False)
        self._runner = runner
        self._repositories = repositories
        self._inside = TransactionRunner(self, runner)
        self._slot: Slot | None = None
        self._state = _OPEN
        self._is_failed = False
        self._is_starting = self._is_flushing = False
        self.touched = Touched()
        inner = getattr(self, "sync_session", self)
        event.listen(inner, "after_begin", self._sign)
        if runner.hooks:
            event.listen(inner, "before_flush", self._begin_flush)
            event.listen(inner, "after_flush", self._note_flush)
            event.listen(inner, "after_soft_rollback", self._end_flush)
            event.listen(inner, "do_orm_execute", self._note_execution)

    @overload
    async def sql(
        self, text: str | Query, /, *, into: Callable[..., T], writes: Sequence[str] | None = None, **values: object
    ) -> list[T]: ...
    @overload
    async def sql(
        self, text: str | Query, /, *, into: None = None, writes: Sequence[str] | None = None, **values: object
    ) -> list[dict[str, Any]]: ...
    async def sql(
        self,
        text: str | Query,
        /,
        *,
        into: Callable[..., Any] | None = None,
        writes: Sequence[str] | None = None,
        **values: object,
    ) -> list[Any]:
        """Run hand-written SQL in this transaction and return its rows.

        Args:
            text: One statement with `%(name)s` for each value; a literal percent sign is written `%%`.
            into: A struct whose fields are named like the columns; a plain type for a single column; nothing for dicts.
            writes: The tables it writes, for those who keep copies of rows; without it a write counts as one of anything.
            values: The values; they travel beside the statement, never inside it.
        """
        statement, bound = arranged(text, values, self._runner.pool.driver.dialect)
        self.touched.handwritten(statement, writes)
        return await self._inside.sql(statement, bound, into or dict)

    async def ask(self, asked: Asked, values: Sequence[object], /) -> Any:  # noqa: ANN401 - what the annotation says
        """Run the statement of a `@query` function in this transaction: `by_author(tx, …)` calls it."""
        return await ask(self._inside, asked, values)

    def ask_rows(self, asked: Asked, values: Sequence[object], /) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Refuse: rows are streamed outside of a unit of work.

        Raises:
            UsageError: When it is entered.
        """
        return ask_rows(self._inside, asked, values)

    def repository(self, model: HasRow[R]) -> Repository[R]:
        """Return the repository of a model whose reads and writes are part of this transaction."""
        return self._repositories.on(self._inside, model)

    async def lock(self, *name: object) -> None:
        """Wait for an advisory lock and hold it until the transaction ends: `tx.lock("invoice", 42)`."""
        await self._own("lock", bool, key=lock_name(name))

    async def try_lock(self, *name: object) -> bool:
        """Take an advisory lock until the transaction ends, or return False when somebody else holds it."""
        return (await self._own("try_lock", bool, key=lock_name(name)))[0]

    async def publish(self, event: Event) -> int:
        """Tell the handlers of a topic, once this transaction is kept, and exactly if it is; return the message's id.

        They are called at least once, and those of one key in the order of their commits: transactions that publish one key wait
        for each other.

        Raises:
            CheckFailed: The topic is not made of words and dots.
            UsageError: The payload is not JSON.
        """
        payload = as_json(event.payload)
        return (await self._own("publish", int, topic=event.topic, key=event.key, payload=payload))[0]

    async def once(self, key: str, work: Callable[[], Awaitable[T]], *, into: type[T]) -> T:
        """Do work once for an idempotency key, and return its result, or what came of it before.

        The key is kept with the transaction: where that is rolled back, it was never used. Who comes with a key that somebody
        is at, waits. The agent forgets keys after `[agent] once_kept`.

        Args:
            key: What is to happen once: `payment:42`.
            work: Called in this transaction when the key is new.
            into: The type of its result, which is kept as JSON.
        """
        begun = (await self._own("once_begin", Begun, key=key))[0]
        if not begun.is_new:
            return from_json(begun.result, into)
        result = await work()
        await self._own("once_end", bool, key=key, outcome=as_json(result))
        return result

    async def commit(self) -> None:
        """Refuse: the block commits at its end, and only there is it known what to do when that fails.

        Raises:
            UsageError: Always.
        """
        raise UsageError("a unit of work commits at the end of its block", hint="end the block, or use db.transaction() twice")

    async def rollback(self) -> None:
        """Undo everything so far; the block goes on with an empty transaction."""
        self._slot, self._is_failed, self.touched = None, False, Touched()
        await super().rollback()

    async def close(self) -> None:
        """Roll back what is open and return the connection."""
        self._slot = None
        await super().close()

    async def start(self, isolation: Isolation | None, statement_timeout: timedelta | None, *, read_only: bool) -> None:
        """Say what the transaction is, where it is not the server's default."""
        if isolation is not None or read_only:
            if (isolation, read_only) not in _MODES:
                raise UsageError(
                    f"there is no isolation level {isolation!r}", hint="read committed, repeatable read, serializable"
                )
            self._is_starting = True  # nothing may come before it
            await self._inside.execute(_MODES[isolation, read_only])
            self._is_starting, actor = False, current_actor()
            if actor is not None and not read_only:
                await self._inside.rows(f"SELECT {SIGNATURE.format(place=1)}", (actor,), str)
        if statement_timeout is not None:
            limit = f"{max(1, round(statement_timeout.total_seconds() * 1000))}ms"
            await self._own("set_timeout", str, limit=limit)

    async def finish(self) -> None:
        """Flush, announce and commit."""
        if self._is_failed:
            raise TransactionAborted(hint="let the error out of the block, or put the statement into `begin_nested()`")
        await self.flush()
        if self.touched:
            for hook in self._runner.hooks:
                await hook.before_commit(self.touched)
        self._state = _COMMITTING
        await super().commit()
        self._state = _KEPT

    async def tell_end(self) -> None:
        """Tell the hooks how it ended, unless nobody knows."""
        if self.touched and self._state != _COMMITTING:
            await tell(self._runner.hooks, self.touched, is_kept=self._state == _KEPT)

    def failure(self, error: Exception) -> KeelError:
        """Return our error for one that came out of the block."""
        if isinstance(error, StaleDataError):
            return Conflict("a row of this transaction was changed by somebody else", hint="read it again")
        found = self._diagnosed(error)
        if isinstance(found, ConnectionLost) and self._state == _COMMITTING:
            return CommitUnknown(
                "transaction: the connection ended during COMMIT", hint="look whether it was kept; then repeat it"
            )
        self._state = _GONE
        return found

    def failed(self, error: Exception, doing: str) -> KeelError:
        """Return our error for a statement's, and remember that the transaction can no longer be kept."""
        self._is_failed = self._is_failed or not self.in_nested_transaction()
        return self._renewing(self._runner.failure(error, doing))

    async def slot_for(self, sql: str, doing: str) -> Slot:
        """Return the transaction's place in the pool, pending changes flushed."""
        counted(sql, doing)
        if self.autoflush and (self.new or self.dirty or self.deleted):
            await self.flush()
        if self._slot is None or self.in_nested_transaction():  # SQLAlchemy sends a SAVEPOINT when it is asked for the connection
            lent: Any = await self.connection()
            self._slot = getattr(lent, "sync_connection", lent).connection._connection_record.slot  # noqa: SLF001 - our own record
        return self._slot

    async def _own(self, name: str, into: Callable[..., T], **values: object) -> list[T]:
        """Run a statement of ours that leaves nothing behind."""
        statement, bound = arranged(own(name), values, self._runner.pool.driver.dialect)
        return await self._inside.rows(statement, bound, into)

    def mark_lasting(self, sql: str) -> None:
        """Remember that a statement may leave something of the session behind."""
        if self._slot is not None and not self._runner.pool.driver.is_pooled and taints(sql):
            self._slot.is_tainted = True

    def _diagnosed(self, error: Exception) -> KeelError:
        origin = getattr(error, "orig", error) if isinstance(error, DBAPIError) else error
        for cause in (getattr(origin, "__cause__", None), origin):
            if isinstance(cause, self._runner.pool.driver.errors):
                return self._renewing(self._runner.failure(cause, "transaction"))
        return StatementFailed("transaction: the driver refused a statement")

    def _renewing(self, failure: KeelError) -> KeelError:
        if isinstance(failure, SchemaChanged):
            self._runner.pool.renew()
        return failure

    def _sign(self, _session: Any, begun: Any, connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
        """Tell a transaction that begins who writes in it, and hear of its statements."""
        if self._runner.hooks:
            connection.info[UNIT] = WeakMethod(self._note)
        actor = current_actor()
        if actor is not None and not begun.nested and not self._is_starting:
            connection.execute(select(func.set_config("pgkeel.actor", actor, literal_column("true"))))

    def _note(self, text: str, context: Any) -> None:  # noqa: ANN401 - SQLAlchemy's execution
        """Note what a statement writes, whoever of SQLAlchemy sends it; a flush says more of its own."""
        if not self._is_flushing:
            self.touched.executed(text, None if context.compiled is None else context.compiled.statement)

    def _note_execution(self, state: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
        """Note what a listener writes while a flush goes on."""
        if not state.is_select:
            self.touched.statement(state.statement)

    def _begin_flush(self, *_: object) -> None:
        self._is_flushing = True

    def _end_flush(self, *_: object) -> None:
        self._is_flushing = False

    def _note_flush(self, session: Any, _context: object) -> None:  # noqa: ANN401 - SQLAlchemy's event
        self._end_flush()
        self.touched.instances([*session.new, *session.dirty, *session.deleted])
        self.touched.gone(session.deleted, session.dirty)
