"""Values in the memory of this process, for as long as the server says that nobody has changed what they depend on."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from pgkeel.core.clock import monotonic

__all__ = ["Kept", "Near"]

_MEMORY = 32 << 20
_OVERHEAD = 800
"""About what a row of ten columns takes beside its bytes, which lie there twice: as they came, and in what is copied."""


class Kept(msgspec.Struct):
    """One value.

    Attributes:
        held: It, as it lies in the cache.
        current: The versions that lay beside it.
        until: When it is forgotten at the latest.
        shelf: Who has found it good; the versions beside it stay as they were.
        again: What gives that one a value of its own.
    """

    held: bytes
    current: bytes
    until: float
    shelf: Any = None
    again: Callable[[], Any] = object


class Near:
    """What one connection has read, bounded; gone with the connection.

    The server's messages come over the same connection as the values, so that the one about a value comes after it.

    Attributes:
        kept: Name → value; it may have ended.
    """

    __slots__ = ("_bytes", "_memory", "_shared", "kept")

    def __init__(self, memory: int = _MEMORY) -> None:
        """Keep at most so many bytes; the oldest go first."""
        self._memory = memory
        self.kept: dict[bytes, Kept] = {}
        self._shared: set[bytes] = set()
        self._bytes = 0

    def __len__(self) -> int:
        """Return how many values there are."""
        return len(self.kept)

    def get(self, key: bytes, now: float) -> Kept | None:
        """Return a value, or None."""
        kept = self.kept.get(key)
        if kept is None or kept.until < now:
            self._drop(key)
            return None
        return kept

    def put(self, key: bytes, held: bytes, current: bytes, shared: Iterable[bytes], seconds: float) -> None:
        """Keep a value for so many seconds at most, in the moment in which it arrives.

        Args:
            key: Its name.
            held: It, as it lies in the cache.
            current: The versions that it depends on.
            shared: The names of what it depends on.
            seconds: Its longest life here.
        """
        self._drop(key)
        self._shared.update(shared)
        self.kept[key] = Kept(held, current, monotonic() + seconds)
        self._bytes += _size(held)
        while self._bytes > self._memory:
            self._drop(next(iter(self.kept)))

    def forget(self, keys: Iterable[bytes] | None) -> None:
        """Let go of values, of all that depend on a key, or (None) of all."""
        if not self.kept and not self._shared:
            return
        if keys is None or not self._shared.isdisjoint(keys := list(keys)):
            self.kept.clear()
            self._shared.clear()
            self._bytes = 0
            return
        for key in keys:
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        kept = self.kept.pop(key, None)
        if kept is not None:
            self._bytes -= _size(kept.held)


def _size(held: bytes) -> int:
    return 2 * len(held) + _OVERHEAD
