"""How much a backfill may do at once: as much as nobody feels."""

from datetime import timedelta

import msgspec

from pgkeel.core.units import Size, parse_duration

__all__ = ["Pace", "Throttle"]


class Throttle(msgspec.Struct, frozen=True, kw_only=True):
    """What a backfill keeps to.

    Attributes:
        batch: The most rows of one batch.
        pause: The least pause between two.
        hold: How long a batch may hold its rows; batches shrink and grow to keep to it.
        lock_timeout: How long a batch waits for a row that a writer holds, before it gives back its own and tries again.
        max_lag: How many bytes of WAL a standby may be behind.
        deadline: How long a batch is tried while others hold its rows.
    """

    batch: int = 1000
    pause: timedelta = timedelta(milliseconds=10)
    hold: timedelta = timedelta(milliseconds=40)
    lock_timeout: timedelta = timedelta(milliseconds=30)
    max_lag: Size = Size.parse("64MiB")
    deadline: timedelta = timedelta(minutes=5)

    def of(self, options: dict[str, str]) -> "Throttle":
        """Return it with the batch and pause that a marker asks for."""
        batch = int(options.get("batch", self.batch))
        pause = parse_duration(options["pause"]) if "pause" in options else self.pause
        return msgspec.structs.replace(self, batch=batch, pause=pause)


class Pace:
    """The size of the next batch and the pause before it, learnt from those before."""

    def __init__(self, throttle: Throttle) -> None:
        """Begin with a small batch: how long one takes is not known yet."""
        self._throttle = throttle
        self.batch = min(throttle.batch, 100)
        self.pause = throttle.pause

    def learn(self, took: timedelta, waited: timedelta) -> None:
        """Take in how long a batch held its rows, and how long the writer waited who waited longest."""
        factor = min(2.0, max(0.1, self._throttle.hold / max(took, timedelta(milliseconds=1))))
        if waited > self._throttle.hold:
            factor = min(factor, 0.5)
            self.pause = min(self.pause * 2 + timedelta(milliseconds=1), timedelta(seconds=1))
        else:
            self.pause = max(self.pause / 2, self._throttle.pause)
        self.batch = max(1, min(self._throttle.batch, int(self.batch * factor)))

    def yield_to_others(self) -> None:
        """Make the next try smaller: a row was held by somebody else."""
        self.batch = max(1, self.batch // 2)
