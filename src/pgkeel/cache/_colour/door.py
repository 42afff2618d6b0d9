"""The way to the server for tasks of one event loop: over its transport, or at the socket itself."""

import asyncio
import select
from collections.abc import Callable
from os import read, write
from typing import TypeVar

from pgkeel.cache.wire import away, tls_context
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.clock import monotonic

__all__ = ["Door", "dial"]

P = TypeVar("P", bound=asyncio.Protocol)
_LONGEST = 5
_LATE = 0.0003
_FAR = 128
_CHUNK = 256
"""More than any answer; memory for more would be taken and given back each time."""


class Door:
    """A socket that somebody else reads too, while nobody is owed an answer."""

    __slots__ = ("_file", "_misses", "_poll", "_skip")

    def __init__(self, file: int) -> None:
        """Take its number."""
        self._file = file
        poll = select.poll()
        poll.register(file, select.POLLIN)
        self._poll = poll.poll
        self._misses = self._skip = 0

    def ask(self, command: bytes, now: float) -> tuple[int, bytes]:
        """Write; return how much of it left, and what came back at once, or the beginning of it; `now` is what time it is.

        Nothing leaves where answers are slow: after two that took 0.3 ms, the next is not asked for here, then two, up to 64.
        A wait shorter than a tick of the processor (4 ms) would need a timer of its own, as dear as the rest; `poll` takes half
        of the time of `select`.
        """
        if self._skip:
            self._skip -= 1
            return 0, b""
        sent, received = 0, b""
        try:
            sent = write(self._file, command)
            if self._poll(_LONGEST):
                received = read(self._file, _CHUNK)
        except OSError:  # the transport sees it too, and tells who waits
            pass
        if received and monotonic() - now < _LATE:
            self._misses = 0
        else:
            self._misses = min(2 * self._misses or 1, _FAR)
            self._skip = self._misses // 2
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
