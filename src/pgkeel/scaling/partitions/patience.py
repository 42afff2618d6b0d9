"""Take strong locks politely: wait briefly, let go, and try again, so that nobody queues behind us for long."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import psycopg

from pgkeel.core.clock import Clock, SystemClock, sleep
from pgkeel.core.errors import LockNotObtained
from pgkeel.core.log import get_logger
from pgkeel.postgres import Connection, load

__all__ = ["Patience"]

log = get_logger(__name__)

Result = TypeVar("Result")

_AGAIN = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.ForeignKeyViolation,  # a referenced row was deleted while its referrer was copied
)


class Patience:
    """Runs transactions again while locks are held by others, until a deadline."""

    def __init__(
        self,
        connection: Connection,
        *,
        lock_timeout: timedelta,
        deadline: timedelta,
        before_write: Callable[[Connection], None],
        clock: Clock | None = None,
    ) -> None:
        """Start the deadline.

        Args:
            connection: In autocommit.
            lock_timeout: How long one lock is waited for: the worst stall that others see.
            deadline: How long all is retried.
            before_write: Called first in every transaction.
            clock: The time.
        """
        self.connection = connection
        self._lock_timeout = lock_timeout
        self._before_write = before_write
        self._clock = clock or SystemClock()
        self._until = self._clock.monotonic() + deadline.total_seconds()
        self.retries = 0

    @property
    def rest(self) -> timedelta:
        """What is left until the deadline, at least 1 ms."""
        return timedelta(seconds=max(0.001, self._until - self._clock.monotonic()))

    def transaction(self, what: str, act: Callable[[], Result]) -> Result:
        """Return what `act` returns, run in a transaction of its own with the short `lock_timeout`.

        Args:
            what: The table, for the error.
            act: The statements; run again from the start after a lock timeout.

        Raises:
            LockNotObtained: The deadline passed first; nothing of this transaction was done.
        """
        pause = 0.02
        while True:
            try:
                with self.connection.transaction():
                    milliseconds = str(self._lock_timeout // timedelta(milliseconds=1))
                    load(__name__, "lock_timeout").rows(self.connection, value=milliseconds)
                    self._before_write(self.connection)
                    return act()
            except _AGAIN as err:
                self._pause(what, pause, err)
            pause = min(1.0, pause * 2)

    def _pause(self, what: str, longest: float, err: psycopg.Error) -> None:
        self.retries += 1
        if self._clock.monotonic() + longest > self._until:
            raise LockNotObtained(
                f"{what}: other sessions held it until the deadline",
                hint="run `pgkeel scale partitions run` again when the long transaction has ended; it goes on where it stopped",
            ) from err
        log.debug("partitions.retry", table=what, retries=self.retries, sqlstate=err.sqlstate)
        sleep(timedelta(seconds=random.uniform(longest / 2, longest)))  # noqa: S311 - spreads load, guards nothing  # nosec B311
