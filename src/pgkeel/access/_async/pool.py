"""One budget of connections for all doors: the design's four numbers, exactly, and nothing leaks.

`take()` hands out a free connection at once; `wait()` waits for one, while connections are opened beside the callers, so that
a caller who is cancelled costs nobody a connection. A keeper closes what lies unused, asks the rest whether it still answers,
and keeps the minimum.
"""

from datetime import timedelta

from pgkeel.access._async.slot import Slot
from pgkeel.access._async.stock import RETRY, Stock
from pgkeel.access._colour.asynchronous import Bell, Crew, Waiter, current, now
from pgkeel.access._drivers._async.port import Driver
from pgkeel.access.callsite import call_site, call_stack
from pgkeel.access.errors import PoolClosed
from pgkeel.core.config import PoolConfig
from pgkeel.core.log import get_logger

__all__ = ["TRANSACTION", "Pool", "Slot"]

log = get_logger(__name__)
TRANSACTION = "transaction"
_CHECK = "health check"
_LONG_UNUSED = 1.0
_GOODBYE = 3.0
_SLOW = timedelta(seconds=1)


class Pool(Stock):
    """Connections to one server."""

    def __init__(self, driver: Driver, config: PoolConfig, *, slow: timedelta = _SLOW) -> None:
        """Keep what is needed; `open` connects.

        Args:
            driver: Opens connections.
            config: The design's numbers.
            slow: Statements that take as long are logged, with the place that they come from.
        """
        super().__init__(driver, config)
        self._health = config.health.total_seconds()
        self._slow = slow.total_seconds()

    async def open(self) -> None:
        """Open the minimum of connections.

        Raises:
            Unreachable: The server cannot be reached.
        """
        self._bell, self._crew = Bell(), Crew()
        self._is_open = True
        try:
            await self.driver.recognise(self._config.pooler, self._patience)
            for _ in range(self._config.min):
                slot = Slot(await self.driver.connect(self._patience))
                self._opened += 1
                self._slots.add(slot)
                self._free.append(slot)
        except BaseException:
            await self.close()
            raise
        self._crew.start(self._keep)

    async def close(self) -> None:
        """Close every connection; those in use when their holders put them back."""
        with self._lock:
            self._is_open = False
            for waiter in self._waiters:
                waiter.fail(PoolClosed())
            self._waiters.clear()
            while self._free:
                self._forget(self._free.pop())
        self._bell.ring()
        await self._crew.dismiss(_GOODBYE)
        await self._close_doomed()

    def take(self, doing: str) -> Slot | None:
        """Return a free connection, or None: then `wait` for one. In one piece: what is called here is called for every read."""
        with self._lock:
            while self._free:
                slot, at = self._free.pop(), now()
                connection = slot.connection
                is_good = not connection.is_cut() if at - slot.since > _LONG_UNUSED else connection.is_open()
                if is_good and slot.born >= self._fresh_from:
                    slot.holder, slot.doing, slot.since = current(), doing, at
                    if self._has_stacks:
                        slot.stack = call_stack()
                    return slot
                self._forget(slot)
        return None

    async def wait(self, doing: str) -> Slot:
        """Return a connection as soon as one is free or open.

        Raises:
            PoolExhausted: All are in use and none came back in time; says who holds them.
            Unreachable: The server did not let us connect.
            PoolClosed: The database handle is not open.
        """
        if not self._is_open:
            raise PoolClosed(hint="`async with Database(…) as db:` opens it")
        waiter: Waiter[Slot] = Waiter()
        began = now()
        with self._lock:
            self._waiters.append(waiter)
            self._waits += 1
            self._grow()
        try:
            slot = await waiter.wait(self._patience)
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
        finally:
            self._waited += now() - began
        slot.holder, slot.doing, slot.since = current(), doing, now()
        if self._has_stacks:
            slot.stack = call_stack()
        return slot

    def release(self, slot: Slot) -> None:
        """Put a connection back; the one who waits longest gets it."""
        at = now()
        if at - slot.since >= self._slow and slot.doing != TRANSACTION:
            self.note_slow(slot.doing, at - slot.since)
        with self._lock:
            slot.holder = None
            slot.since = slot.asked = at
            is_old = at - slot.born >= self._lifetime or slot.born < self._fresh_from
            if is_old or not self._is_open or not slot.connection.is_open():
                self._forget(slot)
                self._grow()
            elif self._waiters:
                self._pass_on(slot)
            else:
                self._free.append(slot)

    def discard(self, slot: Slot) -> None:
        """Close a connection whose state is not known."""
        slot.connection.abort()
        self.release(slot)

    def renew(self) -> None:
        """Replace every connection that is open now, each when it is put back: what it prepared is out of date."""
        with self._lock:
            self._fresh_from = now()

    def note_slow(self, doing: str, seconds: float) -> None:
        """Log a statement that took long, and the place in the caller's code that it comes from."""
        if seconds >= self._slow:
            log.warning("access.slow_statement", doing=doing, seconds=round(seconds, 3), at=call_site() or "unknown")

    def _leave(self, waiter: Waiter[Slot]) -> Slot | None:
        with self._lock:
            slot = waiter.abandon()
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        return slot

    async def _keep(self) -> None:
        """Close what lies unused, keep the minimum, until the pool is closed."""
        while self._is_open:
            await self._bell.wait(self._sweep())
            await self._close_doomed()
            await self._check()

    def _sweep(self) -> float:
        """Give up connections that are due; return the seconds until the next one is."""
        with self._lock:
            while self._free and self._next_due() <= now():
                slot = min(self._free, key=self._due)
                self._free.remove(slot)
                self._forget(slot)
            missing = self._config.min - len(self._slots) - self._opening
            if missing > 0 and now() >= self._retry_at:
                self._start(missing)
            pause = min(self._idle, self._lifetime, self._health, RETRY if missing > 0 else self._idle)
            return max(0.0, min(self._next_due() - now(), pause)) if self._free else pause

    def _next_due(self) -> float:
        return min(map(self._due, self._free))

    def _due(self, slot: Slot) -> float:
        """Return when a free connection is to be closed."""
        end = slot.born + self._lifetime
        return min(end, slot.since + self._idle) if len(self._slots) > self._config.min else end

    async def _check(self) -> None:
        """Ask what has lain unused for long whether it still answers; how long it has lain stays what it was."""
        while (slot := self._unproved()) is not None:
            is_well = False
            try:
                is_well = await slot.connection.ping(self._patience)
            except self.driver.errors:
                is_well = False
            finally:
                if not is_well:
                    slot.connection.abort()
                with self._lock:
                    slot.holder, slot.asked = None, now()
                    self._put(slot)

    def _put(self, slot: Slot) -> None:
        if not slot.connection.is_open() or not self._is_open:
            self._forget(slot)
            self._grow()
        else:
            self._pass_on(slot)

    def _unproved(self) -> Slot | None:
        """Take out the free connection that has not answered for longest, where that is too long."""
        with self._lock:
            slot = min(self._free, key=lambda slot: slot.asked, default=None)
            if slot is None or now() - slot.asked < self._health:
                return None
            self._free.remove(slot)
            slot.holder, slot.doing = _CHECK, _CHECK
            return slot

    async def _close_doomed(self) -> None:
        while self._doomed:
            connection = self._doomed.popleft()
            try:
                await connection.close()
            except self.driver.errors:
                connection.abort()
