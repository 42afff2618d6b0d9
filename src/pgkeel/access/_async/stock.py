"""The connections of a pool: which are free, who holds the others, who waits, and how new ones come."""

from collections import deque
from datetime import timedelta

from pgkeel.access._async.slot import Slot
from pgkeel.access._colour.asynchronous import Bell, Crew, Lock, Waiter, current, name_of, now
from pgkeel.access._drivers._async.port import Connection, Driver
from pgkeel.access.errors import Holder, PoolExhausted
from pgkeel.access.figures import PoolFigures
from pgkeel.core.config import PoolConfig
from pgkeel.core.errors import KeelError, Unreachable

__all__ = ["RETRY", "Stock"]

RETRY = 1.0


class Stock:
    """What a pool owns; every method that begins with an underscore runs under its lock."""

    def __init__(self, driver: Driver, config: PoolConfig) -> None:
        """Own nothing yet."""
        self.driver = driver
        self._config = config
        self._has_stacks = config.owner_stacks
        self._patience = config.connect.total_seconds()
        self._idle = config.idle.total_seconds()
        self._lifetime = config.lifetime.total_seconds()
        self._lock = Lock()
        self._slots: set[Slot] = set()
        self._free: deque[Slot] = deque()
        self._waiters: deque[Waiter[Slot]] = deque()
        self._doomed: deque[Connection] = deque()
        self._bell, self._crew = Bell(), Crew()
        self._opening = 0
        self._retry_at = self._fresh_from = 0.0
        self._is_open = False
        self._opened = self._closed = self._exhaustions = self._waits = 0
        self._waited = 0.0

    def holders(self) -> tuple[Holder, ...]:
        """Return who holds a connection, longest first."""
        with self._lock:
            busy = sorted((slot for slot in self._slots if slot.holder is not None), key=lambda slot: slot.since)
            return tuple(
                Holder(name_of(slot.holder), slot.doing, timedelta(seconds=now() - slot.since), slot.stack) for slot in busy
            )

    def figures(self) -> PoolFigures:
        """Return how it does now and what it did since it was made."""
        with self._lock:
            return PoolFigures(
                open=len(self._slots),
                free=len(self._free),
                waiting=len(self._waiters),
                most=self._config.max,
                opened=self._opened,
                closed=self._closed,
                exhausted=self._exhaustions,
                waits=self._waits,
                waited=timedelta(seconds=self._waited),
            )

    @property
    def size(self) -> int:
        """How many connections are open."""
        return len(self._slots)

    @property
    def free(self) -> int:
        """How many of them nobody uses."""
        return len(self._free)

    def _pass_on(self, slot: Slot) -> None:
        while self._waiters:
            if self._waiters.popleft().give(slot):
                return
        self._free.append(slot)

    def _forget(self, slot: Slot) -> None:
        self._slots.discard(slot)
        self._closed += 1
        if slot.connection.is_open():
            self._doomed.append(slot.connection)
        self._bell.ring()

    def _grow(self) -> None:
        """Start to open a connection for each one who waits, as far as the budget goes."""
        wanted = min(len(self._waiters), self._config.max - len(self._slots)) - self._opening
        self._start(wanted if self._is_open else 0)

    def _start(self, count: int) -> None:
        for _ in range(count):
            self._opening += 1
            self._crew.start(self._connect)

    async def _connect(self) -> None:
        """Open one connection and give it to the one who waits longest; takes the lock itself."""
        slot, failure = None, None
        try:
            slot = Slot(await self.driver.connect(self._patience))
        except KeelError as err:
            failure = err
        finally:
            with self._lock:
                self._opening -= 1
                self._arrive(slot, failure)

    def _arrive(self, slot: Slot | None, failure: KeelError | None) -> None:
        if slot is not None and self._is_open:
            self._slots.add(slot)
            self._opened += 1
            self._pass_on(slot)
        elif slot is not None:
            slot.connection.abort()
        elif failure is not None:
            self._retry_at = now() + RETRY
            while self._waiters and not self._waiters.popleft().fail(failure):
                continue
            self._grow()

    def _exhausted(self) -> PoolExhausted | Unreachable:
        holders = self.holders()
        waited = f"no connection within {self._patience:g} s"
        if len(holders) < self._config.max:
            return Unreachable(f"{waited}: the server does not answer", hint="`pgkeel status` shows what is running")
        self._exhaustions += 1
        me = name_of(current())
        own = sum(holder.name == me for holder in holders)
        hint = f"{me} holds {own} itself: use one connection a task" if own else "shorten transactions, or raise pool.max"
        return PoolExhausted(
            f"{waited}: all {self._config.max} are in use by " + ", ".join(map(str, holders)), hint=hint, holders=holders
        )
