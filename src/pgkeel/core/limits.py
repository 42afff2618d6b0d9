"""How often something may be tried: the Protocols that a rate limit answers to, and one in memory.

The one in memory counts for its process only; a service of several processes hands in one that they share.
"""

import threading
from collections import OrderedDict
from datetime import timedelta
from typing import Protocol

import msgspec

from pgkeel.core import clock
from pgkeel.core.clock import Clock

__all__ = ["AsyncLimiter", "AsyncMemoryLimiter", "Limiter", "MemoryLimiter", "Rate"]

_MOST_KEYS = 100_000


class Rate(msgspec.Struct, frozen=True):
    """So many attempts in such a time; they come back one by one.

    Attributes:
        most: How many may follow each other at once.
        per: The time in which that many come back.
    """

    most: int
    per: timedelta

    def __post_init__(self) -> None:
        """Refuse a rate that allows nothing, or everything."""
        if self.most < 1 or self.per <= timedelta():
            raise ValueError("a rate needs at least one attempt in a time above zero")


class Limiter(Protocol):
    """Counts attempts by key."""

    def take(self, key: str, rate: Rate) -> timedelta | None:
        """Count one attempt and return None, or count none and return how long to wait."""
        ...


class AsyncLimiter(Protocol):
    """Counts attempts by key, for one event loop."""

    async def take(self, key: str, rate: Rate) -> timedelta | None:
        """Count one attempt and return None, or count none and return how long to wait."""
        ...


class MemoryLimiter:
    """Counts in this process: one number a key (the generic cell rate algorithm), the least used keys are forgotten first."""

    def __init__(self, *, clock: Clock = clock.SystemClock(), most_keys: int = _MOST_KEYS) -> None:  # noqa: B008 - has no state
        """Start with no attempt counted."""
        self._clock = clock
        self._most_keys = most_keys
        self._due: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: str, rate: Rate) -> timedelta | None:
        """Count one attempt and return None, or count none and return how long to wait."""
        step = rate.per.total_seconds() / rate.most
        with self._lock:
            now = self._clock.monotonic()
            due = max(self._due.get(key, now), now)
            early = due + step - now - rate.per.total_seconds()
            if early > 1e-9:
                return timedelta(seconds=early)
            self._due[key] = due + step
            self._due.move_to_end(key)
            if len(self._due) > self._most_keys:
                self._due.popitem(last=False)
        return None


class AsyncMemoryLimiter:
    """The same for one event loop; it never waits."""

    def __init__(self, *, clock: Clock = clock.SystemClock(), most_keys: int = _MOST_KEYS) -> None:  # noqa: B008 - has no state
        """Start with no attempt counted."""
        self._inner = MemoryLimiter(clock=clock, most_keys=most_keys)

    async def take(self, key: str, rate: Rate) -> timedelta | None:
        """Count one attempt and return None, or count none and return how long to wait."""
        return self._inner.take(key, rate)
