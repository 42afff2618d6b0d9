# Generated from pgkeel/cache/_async/ledger.py by tools/unasync.py; do not edit.
"""What the database knows of the cache: in which epoch it is. A cache that is not in it serves nothing."""

from typing import Protocol

from pgkeel.cache._colour.threaded import Call, Gate
from pgkeel.core.clock import monotonic

__all__ = ["Confirmed", "Ledger"]


class Ledger(Protocol):
    """The database, as far as a cache must ask it; `pgkeel.access` binds one."""

    def epoch(self) -> str:
        """Return `server:timeline:number` from the primary (`pgkeel.cache_epoch()`)."""
        ...

    def dirty(self) -> None:
        """Begin another epoch, durably, before a write commits that the cache cannot be told of (`pgkeel.cache_dirty()`)."""
        ...


class Confirmed:
    """Whether the database's epoch was asked for lately."""

    def __init__(self, ledger: Ledger, begin: Call[None], every: float) -> None:
        """Ask the ledger at most once in so many seconds; `begin` tells the cache server of another epoch."""
        self.ledger = ledger
        self.epoch = ""
        self.until = 0.0
        self._begin = begin
        self._every = every
        self._told = ""
        self._gate = Gate()

    def confirm(self) -> None:
        """Ask again where it is time; the cache server knows of the epoch when this returns.

        Raises:
            KeelError: The database or the cache does not answer.
        """
        with self._gate:
            asked = monotonic()
            if asked < self.until:
                return
            self.epoch = self.ledger.epoch()
            if self.epoch != self._told:
                self._begin()
                self._told = self.epoch
            self.until = asked + self._every
