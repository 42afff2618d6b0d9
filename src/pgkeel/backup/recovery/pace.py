"""Say how far something is, how fast it goes, and how long it will take; at most once a second."""

from datetime import timedelta

from pgkeel.core import clock
from pgkeel.core.telling import Report
from pgkeel.core.units import Size, format_duration

__all__ = ["Pace"]

_EVERY = 1.0


class Pace:
    """Hears figures and reports words."""

    def __init__(self, verb: str, report: Report, *, every: float = _EVERY) -> None:
        """Begin now.

        Args:
            verb: What is done, for example `restored`.
            report: Hears the words.
            every: Seconds between two of them.
        """
        self._verb, self._report, self._every = verb, report, every
        self._began = self._said_at = clock.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Take note of `done` bytes of `total`."""
        now = clock.monotonic()
        if now - self._said_at < self._every:
            return
        self._said_at = now
        rate = done / max(now - self._began, 0.001)
        left = timedelta(seconds=round(max(0, total - done) / rate)) if rate else None
        told = f", {format_duration(left)} left" if left is not None else ""
        self._report(f"  {self._verb} {Size(done)} of {Size(total)}, {Size(int(rate))}/s{told}")
