"""The second door of a handle: units of work, and functions that are called again with a fresh one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from pgkeel.access._async.repositories import Repositories
from pgkeel.access._async.runner import Runner
from pgkeel.access._async.session import AsyncEngine, engine_on
from pgkeel.access._async.transaction import Isolation, Transaction
from pgkeel.access._colour.asynchronous import pause
from pgkeel.access.errors import RetryNeeded
from pgkeel.access.retry import delay, name_of_work
from pgkeel.core.errors import KeelError
from pgkeel.core.log import get_logger

__all__ = ["Units"]

T = TypeVar("T")
P = ParamSpec("P")
log = get_logger(__name__)


class Units:
    """Opens units of work on the pool of a database."""

    _runner: Runner
    _repositories: Repositories
    _failures: tuple[type[Exception], ...]
    _engine: AsyncEngine | None = None

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation | None = None, read_only: bool = False, statement_timeout: timedelta | None = None
    ) -> AsyncIterator[Transaction]:
        """Open a unit of work: an ORM session in a transaction that commits at the end, or rolls back when the block raises.

        Args:
            isolation: `read committed`, `repeatable read` or `serializable`; None is the server's default.
            read_only: Whether the server refuses writes.
            statement_timeout: How long one statement may take.

        Raises:
            Conflict: A row was changed by somebody else since the session read it.
            RetryNeeded: A serialization failure or deadlock: `run` does it again.
            CommitUnknown: The connection ended during COMMIT.
            AccessError: What the server refused, as everywhere else.
        """
        transaction = Transaction(self._alchemy(), self._runner, self._repositories)
        failure: KeelError | None = None
        try:
            async with transaction:
                await transaction.start(isolation, statement_timeout, read_only=read_only)
                yield transaction
                await transaction.finish()
        except self._failures as err:
            failure = transaction.failure(err)
        finally:
            await transaction.tell_end()
        if failure is not None:
            raise failure from None  # what the driver said repeats whole rows

    async def run(
        self,
        work: Callable[[Transaction], Awaitable[T]],
        /,
        *,
        retries: int = 3,
        isolation: Isolation | None = None,
        read_only: bool = False,
        statement_timeout: timedelta | None = None,
    ) -> T:
        """Call a function with a unit of work, and again with a fresh one when the server asks for it; return its result.

        It is called again after a serialization failure, a deadlock or a migration of a table that it reads; never after an
        ambiguous COMMIT. What it does outside of the database happens as often as it is called: use `publish` for that.

        Args:
            work: `async def transfer(tx): …`; its last return value counts.
            retries: How often it is called again, with growing pauses of 10 ms to 1 s.
            isolation: As of `transaction`.
            read_only: As of `transaction`.
            statement_timeout: As of `transaction`.

        Raises:
            RetryNeeded: The last attempt failed like those before.
            CommitUnknown: The connection ended during COMMIT.
        """
        for attempt in range(retries):
            try:
                async with self.transaction(
                    isolation=isolation, read_only=read_only, statement_timeout=statement_timeout
                ) as transaction:
                    return await work(transaction)
            except RetryNeeded as err:
                log.info("access.retry", work=name_of_work(work), attempt=attempt + 1, sqlstate=err.sqlstate)
            await pause(delay(attempt))
        async with self.transaction(isolation=isolation, read_only=read_only, statement_timeout=statement_timeout) as transaction:
            return await work(transaction)

    def transactional(
        self,
        *,
        retries: int = 3,
        isolation: Isolation | None = None,
        read_only: bool = False,
        statement_timeout: timedelta | None = None,
    ) -> Callable[[Callable[Concatenate[Transaction, P], Awaitable[T]]], Callable[P, Awaitable[T]]]:
        """Make a function whose first argument is a unit of work into one without it, run as by `run`."""

        def decorate(function: Callable[Concatenate[Transaction, P], Awaitable[T]]) -> Callable[P, Awaitable[T]]:
            @wraps(function)
            async def call(*given: P.args, **named: P.kwargs) -> T:
                async def work(transaction: Transaction) -> T:
                    return await function(transaction, *given, **named)

                return await self.run(
                    work, retries=retries, isolation=isolation, read_only=read_only, statement_timeout=statement_timeout
                )

            return call

        return decorate

    def _alchemy(self) -> AsyncEngine:
        if self._engine is None:
            self._engine = engine_on(self._runner.pool)
        return self._engine
