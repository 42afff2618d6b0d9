"""The only place that reads the time, so that a test can hold it still."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "FrozenClock", "SystemClock", "monotonic", "now", "sleep"]


class Clock(Protocol):
    """What code that schedules or measures asks the time of."""

    def now(self) -> datetime:
        """Return the wall time, with its zone (UTC)."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return the wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start."""
        return time.monotonic()


class FrozenClock:
    """A clock that moves only when it is told to."""

    def __init__(self, at: datetime) -> None:
        """Stand at `at`, which must have a zone."""
        if at.tzinfo is None:
            raise ValueError(f"{at} has no time zone")
        self._now = at.astimezone(UTC)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Return where the clock stands."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds it has been moved."""
        return self._monotonic

    def advance(self, by: timedelta) -> None:
        """Move both readings forward."""
        self._now += by
        self._monotonic += by.total_seconds()


_system = SystemClock()
now = _system.now
monotonic = time.monotonic


def sleep(duration: timedelta) -> None:
    """Wait for the duration; zero and negative ones return at once."""
    time.sleep(max(0.0, duration.total_seconds()))
