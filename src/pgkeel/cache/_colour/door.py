"""The way to the server for tasks of one event loop: over its transport, or at the socket itself."""

import asyncio
import os
import select
from collections.abc import Callable
from typing import TypeVar

from pgkeel.cache.wire import away, tls_context
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.clock import monotonic

__all__ = ["Door", "dial"]

P = TypeVar("P", bound=asyncio.Protocol)
_LONGEST = 1
_LATE = 0.0003
_FAR = 64
_CHUNK = 65536


class Door:
    """A socket that somebody else reads too, while nobody is owed an answer."""

    __slots__ = ("_file", "_misses", "_poll", "_skip")

    def __init__(self, file: int) -> None:
        """Take its number."""
        self._file = file
        self._poll = select.poll()
        self._poll.register(file, select.POLLIN)
        self._misses = self._skip = 0

    def is_worth_it(self) -> bool:
        """Return whether the answers came quickly lately: after one that did not, skip one, then twice as many, up to 64."""
        if not self._skip:
            return True
        self._skip -= 1
        return False

    def ask(self, command: bytes) -> tuple[int, bytes]:
        """Write; return how much of it left, and what came back within a millisecond.

        `poll` counts in milliseconds, but takes half of the time of `select`; an answer that takes 0.3 ms is a late one.
        """
        sent, received, asked = 0, b"", monotonic()
        try:
            sent = os.write(self._file, command)
            if self._poll.poll(_LONGEST):
                received = os.read(self._file, _CHUNK)
        except OSError:  # the transport sees it too, and tells who waits
            pass
        is_late = not received or monotonic() - asked > _LATE
        self._misses = min(2 * self._misses or 1, _FAR) if is_late else 0
        self._skip = self._misses
        return sent, received


async def dial(url: CacheUrl, patience: float, make: Callable[[], P]) -> P:
    """Return the protocol of a new connection.

    Raises:
        Unreachable: There is none in time.
    """
    loop = asyncio.get_running_loop()
    context = tls_context(url.authority) if url.is_tls else None
    try:
        async with asyncio.timeout(patience):
            if url.socket:
                return (await loop.create_unix_connection(make, url.socket))[1]
            return (await loop.create_connection(make, url.host, url.port, ssl=context))[1]
    except (OSError, UnicodeError) as err:
        failure = away(url, err)
    raise failure
