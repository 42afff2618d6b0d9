# Generated from pgkeel/access/_async/units.py by tools/unasync.py; do not edit.
"""The second door of a handle: units of work, and functions that are called again with a fresh one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from pgkeel.access._colour.threaded import pause
from pgkeel.access._sync.repositories import Repositories
from pgkeel.access._sync.runner import Runner
from pgkeel.access._sync.session import Engine, engine_on
from pgkeel.access._sync.transaction import Isolation, Transaction
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
    _engine: Engine | None = None

    @contextmanager
    def transaction(
        self, *, isolation: Isolation | None = None, read_only: bool = False, statement_timeout: timedelta | None = None
    ) -> Iterator[Transaction]:
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
            with transaction:
                transaction.start(isolation, statement_timeout, read_only=read_only)
                yield transaction
                transaction.finish()
        except self._failures as err:
            failure = transaction.failure(err)
        finally:
            transaction.tell_end()
        if failure is not None:
            raise failure from None  # what the driver said repeats whole rows

    def run(
        self,
        work: Callable[[Transaction], T],
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
            work: `def transfer(tx): …`; its last return value counts.
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
                with self.transaction(
                    isolation=isolation, read_only=read_only, statement_timeout=statement_timeout
                ) as transaction:
                    return work(transaction)
            except RetryNeeded as err:
                log.info("access.retry", work=name_of_work(work), attempt=attempt + 1, sqlstate=err.sqlstate)
            pause(delay(attempt))
        with self.transaction(isolation=isolation, read_only=read_only, statement_timeout=statement_timeout) as transaction:
            return work(transaction)

    def transactional(
        self,
        *,
        retries: int = 3,
        isolation: Isolation | None = None,
        read_only: bool = False,
        statement_timeout: timedelta | None = None,
    ) -> Callable[[Callable[Concatenate[Transaction, P], T]], Callable[P, T]]:
        """Make a function whose first argument is a unit of work into one without it, run as by `run`."""

        def decorate(function: Callable[Concatenate[Transaction, P], T]) -> Callable[P, T]:
            @wraps(function)
            def call(*given: P.args, **named: P.kwargs) -> T:
                def work(transaction: Transaction) -> T:
                    return function(transaction, *given, **named)

                return self.run(
                    work, retries=retries, isolation=isolation, read_only=read_only, statement_timeout=statement_timeout
                )

            return call

        return decorate

    def _alchemy(self) -> Engine:
        if self._engine is None:
            self._engine = engine_on(self._runner.pool)
        return self._engine
