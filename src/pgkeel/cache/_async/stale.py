"""Old values by declaration: while one reader, or a writer, is at work on a value, others may get the one before it."""

from typing import Any, TypeVar

from pgkeel.cache._async.client import Client
from pgkeel.cache.entry import MISS, VERSION, Shelf
from pgkeel.cache.life import Life
from pgkeel.cache.touched import Keys, RowKeys
from pgkeel.core.clock import monotonic

__all__ = ["Stale"]

T = TypeVar("T")
_COPY = b"~"


class Stale:
    """Copies beside the values that ask for it, which end by themselves `stale` after they were filled.

    What this process has written itself it never gets old, and nothing outlives the epoch.
    """

    def __init__(self, client: Client, lease: int) -> None:
        """Take the client and how long a reader may take to fill, in milliseconds."""
        self._client = client
        self._lease = lease / 1000
        self.is_expected = False
        self._longest = 0.0
        self._written: dict[bytes, float] = {}

    def expect(self, life: Life) -> None:
        """Remember what this process writes for as long as copies of it may lie there."""
        self._longest = max(self._longest, life.stale / 1000)
        self.is_expected = self._longest > 0

    def wrote(self, keys: Keys | RowKeys) -> None:
        """Be told of a write of this process, before its COMMIT; where copies are expected."""
        now = monotonic()
        for key in keys.all:
            self._written.pop(key, None)
            self._written[key] = now
        while self._written and self._written[oldest := next(iter(self._written))] < now - self._longest - self._lease:
            del self._written[oldest]

    async def keep(self, key: bytes, shelf: Shelf[Any], kept: bytes, life: Life) -> None:
        """Put a copy beside what was filled just now."""
        epoch, value = kept[1 : 1 + VERSION], shelf.payload(kept)
        await self._client.call("SET", key + _COPY, epoch + value, "PX", life.stale)

    async def find(self, key: bytes, shelf: Shelf[T], epoch: bytes, life: Life) -> T | None:
        """Return the value before the one that is not there, or `MISS`.

        Args:
            key: The value's name.
            shelf: What it is.
            epoch: The epoch that is valid now.
            life: How old it may be.
        """
        since = monotonic() - life.stale / 1000 - self._lease
        if any(self._written.get(one, since) > since for one in (key, *shelf.shared)):
            return MISS  # type: ignore[no-any-return]
        held = await self._client.call("GET", key + _COPY)
        return shelf.copy_of(held, epoch)
