"""A shared connection and waiting for each other, with tasks of one event loop."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from pgkeel.cache.wire import Replies, Word, away, packed, tls_context
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import Unreachable

__all__ = ["Call", "Flight", "Gate", "Link", "Load", "nap", "open_link"]

T = TypeVar("T")
Load = Callable[[], Awaitable[T]]
"""What reads the database."""
Call = Callable[..., Awaitable[T]]
Gate = asyncio.Lock
nap = asyncio.sleep
_GRACE = 0.01


class Link(asyncio.Protocol):
    """One connection that all tasks share: what is asked in one turn of the loop leaves in one packet."""

    def __init__(self, url: CacheUrl, patience: float) -> None:
        """Serve the running loop; the server may be silent for so many seconds while it owes an answer."""
        self._url = url
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._replies = Replies()
        self._owed: deque[asyncio.Future[Any]] = deque()
        self._outgoing: list[bytes] = []
        self._heard = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._is_suspected = False
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - what asyncio and uvloop give for a stream
        self._transport = transport

    def call(self, words: Sequence[Word]) -> Awaitable[Any]:
        """Return the reply to one command; refusals are returned, not raised.

        Raises:
            Unreachable: The connection ended or hangs; whether the command was carried out is not known.
        """
        if self.is_closed:
            raise away(self._url, None)
        future = self._loop.create_future()
        if not self._owed:
            self._heard = self._loop.time()
            if self._watch is None:
                self._watch = self._loop.call_later(self._patience, self._look)
        self._owed.append(future)
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(packed(tuple(words)))
        return future

    def data_received(self, data: bytes) -> None:
        """Hand each reply to who asked."""
        self._heard = self._loop.time()
        self._is_suspected = False
        owed = self._owed
        try:
            for reply in self._replies.feed(data):
                future = owed.popleft()
                if not future.done():
                    future.set_result(reply)
        except (Unreachable, IndexError) as err:
            self._end(err)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self._end(exc)

    def close(self) -> None:
        """Close it; whoever waits is told."""
        self._end(None)

    def _flush(self) -> None:
        if self._outgoing and not self.is_closed:
            self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def _look(self) -> None:
        """End the connection when nothing came for too long; a loop that was blocked itself gets one more turn to read."""
        self._watch = None
        if not self._owed or self.is_closed:
            return
        left = self._heard + self._patience - self._loop.time()
        if left <= 0 and self._is_suspected:
            self._end(TimeoutError())
            return
        self._is_suspected = left <= 0
        self._watch = self._loop.call_later(max(left, _GRACE), self._look)

    def _end(self, error: BaseException | None) -> None:
        self.is_closed = True
        self._transport.abort()
        if self._watch is not None:
            self._watch.cancel()
        failure = error if isinstance(error, Unreachable) else away(self._url, error)
        while self._owed:
            future = self._owed.popleft()
            if not future.done():
                future.set_exception(Unreachable(failure.message, hint=failure.hint))


async def open_link(url: CacheUrl, patience: float) -> Link:
    """Return a connection to the server.

    Raises:
        Unreachable: There is none in time.
    """
    loop = asyncio.get_running_loop()
    context = tls_context(url.authority) if url.is_tls else None
    try:
        async with asyncio.timeout(patience):
            if url.socket:
                _, link = await loop.create_unix_connection(lambda: Link(url, patience), url.socket)
            else:
                _, link = await loop.create_connection(lambda: Link(url, patience), url.host, url.port, ssl=context)
    except (OSError, UnicodeError) as err:
        failure = away(url, err)
    else:
        return link
    raise failure


class Flight(Generic[T]):
    """A read that several callers may share."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        """Start it."""
        self._future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def land(self, found: T) -> None:
        """Give the result to whoever joined."""
        self._future.set_result(found)

    def crash(self) -> None:
        """Let whoever joined read for themselves; nothing happens after it landed."""
        self._future.cancel()

    async def join(self, seconds: float) -> T:
        """Return the result.

        Raises:
            TimeoutError: It did not land in time, or crashed.
        """
        done, _ = await asyncio.wait((self._future,), timeout=seconds)
        if not done or self._future.cancelled():
            raise TimeoutError
        return self._future.result()
