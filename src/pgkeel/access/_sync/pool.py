# Generated from pgkeel/access/_async/pool.py by tools/unasync.py; do not edit.
"""One budget of connections for all doors: the design's four numbers, exactly, and nothing leaks.

`take()` hands out a free connection at once; `wait()` waits for one, while connections are opened beside the callers, so that
a caller who is cancelled costs nobody a connection. A keeper closes what lies unused and keeps the minimum.
"""

from collections import deque
from datetime import timedelta

from pgkeel.access._colour.threaded import Bell, Crew, Lock, Waiter, current, name_of, now
from pgkeel.access._drivers._sync.port import Connection, Driver
from pgkeel.access.errors import Holder, PoolClosed, PoolExhausted
from pgkeel.core.config import PoolConfig
from pgkeel.core.errors import KeelError, Unreachable

__all__ = ["Pool", "Slot"]

_RETRY = 1.0
_LONG_UNUSED = 1.0
_GOODBYE = 3.0


class Slot:
    """A connection of the pool and who holds it.

    Attributes:
        connection: The driver's connection.
        born: When it was opened.
        since: When it was taken or put back.
        holder: The task or thread that holds it; None when it is free.
        doing: What it was taken for.
        is_tainted: Whether a session setting, lock or listen may remain on it.
        record: What SQLAlchemy keeps about it.
    """

    __slots__ = ("born", "connection", "doing", "holder", "is_tainted", "record", "since")

    def __init__(self, connection: Connection) -> None:
        """Start free."""
        self.connection = connection
        self.born = self.since = now()
        self.holder: object = None
        self.doing = ""
        self.is_tainted = False
        self.record: object = None


class Pool:
    """Connections to one server."""

    def __init__(self, driver: Driver, config: PoolConfig) -> None:
        """Keep what is needed; `open` connects."""
        self.driver = driver
        self._config = config
        self._patience = config.connect.total_seconds()
        self._idle = config.idle.total_seconds()
        self._lifetime = config.lifetime.total_seconds()
        self._lock = Lock()
        self._slots: set[Slot] = set()
        self._free: deque[Slot] = deque()
        self._waiters: deque[Waiter[Slot]] = deque()
        self._doomed: deque[Connection] = deque()
        self._opening = 0
        self._retry_at = self._fresh_from = 0.0
        self._is_open = False

    def open(self) -> None:
        """Open the minimum of connections.

        Raises:
            Unreachable: The server cannot be reached.
        """
        self._bell, self._crew = Bell(), Crew()
        self._is_open = True
        try:
            for _ in range(self._config.min):
                slot = Slot(self.driver.connect(self._patience))
                self._slots.add(slot)
                self._free.append(slot)
        except BaseException:
            self.close()
            raise
        self._crew.start(self._keep)

    def close(self) -> None:
        """Close every connection; those in use when their holders put them back."""
        with self._lock:
            self._is_open = False
            for waiter in self._waiters:
                waiter.fail(PoolClosed())
            self._waiters.clear()
            while self._free:
                self._forget(self._free.pop())
        self._bell.ring()
        self._crew.dismiss(_GOODBYE)
        self._close_doomed()

    def take(self, doing: str) -> Slot | None:
        """Return a free connection, or None: then `wait` for one."""
        with self._lock:
            while self._free:
                slot = self._free.pop()
                if self._is_usable(slot):
                    return self._mark(slot, doing)
                self._forget(slot)
        return None

    def wait(self, doing: str) -> Slot:
        """Return a connection as soon as one is free or open.

        Raises:
            PoolExhausted: All are in use and none came back in time; says who holds them.
            Unreachable: The server did not let us connect.
            PoolClosed: The database handle is not open.
        """
        waiter: Waiter[Slot] = Waiter() if self._is_open else self._refuse()
        with self._lock:
            self._waiters.append(waiter)
            self._grow()
        try:
            slot = waiter.wait(self._patience)
        except TimeoutError:
            late = self._leave(waiter)
            if late is None:
                raise self._exhausted() from None
            slot = late
        except BaseException:
            missed = self._leave(waiter)
            if missed is not None:
                self.release(missed)
            raise
        return self._mark(slot, doing)

    def release(self, slot: Slot) -> None:
        """Put a connection back; the one who waits longest gets it."""
        with self._lock:
            slot.holder = None
            slot.since = now()
            is_old = slot.since - slot.born >= self._lifetime or slot.born < self._fresh_from
            if is_old or not self._is_open or slot.connection.is_closed():
                self._forget(slot)
                self._grow()
            else:
                self._pass_on(slot)

    def discard(self, slot: Slot) -> None:
        """Close a connection whose state is not known."""
        slot.connection.abort()
        self.release(slot)

    def renew(self) -> None:
        """Replace every connection that is open now, each when it is put back: what it prepared is out of date."""
        with self._lock:
            self._fresh_from = now()

    def holders(self) -> tuple[Holder, ...]:
        """Return who holds a connection, longest first."""
        with self._lock:
            busy = sorted((slot for slot in self._slots if slot.holder is not None), key=lambda slot: slot.since)
            return tuple(Holder(name_of(slot.holder), slot.doing, timedelta(seconds=now() - slot.since)) for slot in busy)

    @property
    def size(self) -> int:
        """How many connections are open."""
        return len(self._slots)

    @property
    def free(self) -> int:
        """How many of them nobody uses."""
        return len(self._free)

    def _refuse(self) -> Waiter[Slot]:
        raise PoolClosed(hint="`with Database(…) as db:` opens it")

    def _is_usable(self, slot: Slot) -> bool:
        connection = slot.connection
        if slot.born < self._fresh_from:
            return False
        return not (connection.is_cut() if now() - slot.since > _LONG_UNUSED else connection.is_closed())

    def _mark(self, slot: Slot, doing: str) -> Slot:
        slot.holder = current()
        slot.doing = doing
        slot.since = now()
        return slot

    def _leave(self, waiter: Waiter[Slot]) -> Slot | None:
        with self._lock:
            slot = waiter.abandon()
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        return slot

    def _pass_on(self, slot: Slot) -> None:
        while self._waiters:
            if self._waiters.popleft().give(slot):
                return
        self._free.append(slot)

    def _forget(self, slot: Slot) -> None:
        self._slots.discard(slot)
        if not slot.connection.is_closed():
            self._doomed.append(slot.connection)
        self._bell.ring()

    def _grow(self) -> None:
        """Start to open a connection for each one who waits, as far as the budget goes."""
        wanted = min(len(self._waiters), self._config.max - len(self._slots)) - self._opening
        for _ in range(wanted if self._is_open else 0):
            self._opening += 1
            self._crew.start(self._connect)

    def _connect(self) -> None:
        """Open one connection and give it to the one who waits longest."""
        slot, failure = None, None
        try:
            slot = Slot(self.driver.connect(self._patience))
        except KeelError as err:
            failure = err
        finally:
            with self._lock:
                self._opening -= 1
                self._arrive(slot, failure)

    def _arrive(self, slot: Slot | None, failure: KeelError | None) -> None:
        if slot is not None and self._is_open:
            self._slots.add(slot)
            self._pass_on(slot)
        elif slot is not None:
            slot.connection.abort()
        elif failure is not None:
            self._retry_at = now() + _RETRY
            while self._waiters and not self._waiters.popleft().fail(failure):
                continue
            self._grow()

    def _exhausted(self) -> PoolExhausted | Unreachable:
        holders = self.holders()
        waited = f"no connection within {self._patience:g} s"
        if len(holders) < self._config.max:
            return Unreachable(f"{waited}: the server does not answer", hint="`pgkeel status` shows what is running")
        me = name_of(current())
        own = sum(holder.name == me for holder in holders)
        hint = f"{me} holds {own} itself: use one connection a task" if own else "shorten transactions, or raise pool.max"
        return PoolExhausted(
            f"{waited}: all {self._config.max} are in use by " + ", ".join(map(str, holders)), hint=hint, holders=holders
        )

    def _keep(self) -> None:
        """Close what lies unused, keep the minimum, until the pool is closed."""
        while self._is_open:
            self._bell.wait(self._sweep())
            self._close_doomed()

    def _sweep(self) -> float:
        """Give up connections that are due; return the seconds until the next one is."""
        with self._lock:
            while self._free and self._next_due() <= now():
                slot = min(self._free, key=self._due)
                self._free.remove(slot)
                self._forget(slot)
            missing = self._config.min - len(self._slots) - self._opening
            if missing > 0 and now() >= self._retry_at:
                self._opening += missing
                for _ in range(missing):
                    self._crew.start(self._connect)
            pause = min(self._idle, self._lifetime, _RETRY if missing > 0 else self._idle)
            return max(0.0, min(self._next_due() - now(), pause)) if self._free else pause

    def _next_due(self) -> float:
        return min(map(self._due, self._free))

    def _due(self, slot: Slot) -> float:
        """Return when a free connection is to be closed."""
        end = slot.born + self._lifetime
        return min(end, slot.since + self._idle) if len(self._slots) > self._config.min else end

    def _close_doomed(self) -> None:
        while self._doomed:
            connection = self._doomed.popleft()
            try:
                connection.close()
            except self.driver.errors:
                connection.abort()
