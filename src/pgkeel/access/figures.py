"""What a pool says about itself."""

from datetime import timedelta

import msgspec

__all__ = ["PoolFigures"]


class PoolFigures(msgspec.Struct, frozen=True):
    """A pool now, and what it did since it was made.

    Attributes:
        open: Connections that are open.
        free: Those that nobody uses.
        waiting: Callers who wait for one.
        most: Connections that it may open.
        opened: How many were opened.
        closed: How many were given up.
        exhausted: How many callers waited in vain.
        waits: How many callers had to wait.
        waited: How long they waited altogether.
    """

    open: int
    free: int
    waiting: int
    most: int
    opened: int
    closed: int
    exhausted: int
    waits: int
    waited: timedelta

    def as_numbers(self) -> dict[str, float]:
        """Return them for a meter, durations in seconds."""
        numbers: dict[str, float] = {name: getattr(self, name) for name in self.__struct_fields__ if name != "waited"}
        return numbers | {"waited_seconds": self.waited.total_seconds()}
