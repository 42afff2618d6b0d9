"""Where a running part shows its figures: it is asked when somebody looks, and pays nothing while nobody does."""

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

__all__ = ["Board", "Meter", "Read"]

Read = Callable[[], Mapping[str, float]]
"""Returns figures by name; durations in seconds, sizes in bytes. Cheap, safe from any thread."""


class Meter(Protocol):
    """Takes what can be read."""

    def publish(self, source: str, read: Read) -> None:
        """Show the figures of a source, such as `pool`, until they are withdrawn; another of that name is replaced."""
        ...

    def withdraw(self, source: str) -> None:
        """Show them no longer; unknown ones are fine."""
        ...


class Board:
    """A meter of this process."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._sources: dict[str, Read] = {}
        self._lock = threading.Lock()

    def publish(self, source: str, read: Read) -> None:
        """Show the figures of a source."""
        with self._lock:
            self._sources[source] = read

    def withdraw(self, source: str) -> None:
        """Show them no longer."""
        with self._lock:
            self._sources.pop(source, None)

    def figures(self) -> dict[str, dict[str, float]]:
        """Return what all sources say now."""
        with self._lock:
            sources = dict(self._sources)
        return {name: dict(read()) for name, read in sources.items()}
