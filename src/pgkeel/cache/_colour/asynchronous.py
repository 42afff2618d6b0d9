"""A shared connection and waiting for each other, with tasks of one event loop."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar, cast

from pgkeel.cache.entry import joined
from pgkeel.cache.wire import Replies, ReplyError, Word, away, packed, refusal, tls_context
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import Unreachable

__all__ = ["Call", "Crowd", "Flight", "Gate", "Link", "Load", "nap", "open_link"]

T = TypeVar("T")
Load = Callable[[], Awaitable[T]]
"""What reads the database."""
Call = Callable[..., Awaitable[T]]
Gate = asyncio.Lock
nap = asyncio.sleep
_GRACE = 0.01
_MOST_KEYS = 128
_MANY = 4
_GATHER = 0.001


class _Batch:
    """Values that tasks look for in one turn of the loop and that depend on the same keys: one MGET for all."""

    __slots__ = ("_shared", "current", "keys", "waiting")

    def __init__(self, shared: Sequence[bytes]) -> None:
        self._shared = shared
        self.keys: list[bytes] = []
        self.waiting: list[asyncio.Future[Any]] = []
        self.current: bytes | None = None

    @property
    def command(self) -> bytes:
        return packed(("MGET", *self.keys, *self._shared))

    def land(self, reply: Any) -> None:  # noqa: ANN401 - any reply
        if type(reply) is ReplyError:
            reply = [reply] * len(self.keys)
        else:
            self.current = joined(reply[len(self.keys) :])
        for future, held in zip(self.waiting, reply, strict=False):
            if not future.done():
                future.set_result(held)

    def crash(self, failure: Unreachable) -> None:
        for future in self.waiting:
            if not future.done():
                future.set_exception(Unreachable(failure.message, hint=failure.hint))


class Link(asyncio.Protocol):
    """One connection that all tasks share: what is asked in one turn of the loop leaves in one packet."""

    def __init__(self, url: CacheUrl, patience: float) -> None:
        """Serve the running loop; the server may be silent for so many seconds while it owes an answer."""
        self._url = url
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._replies = Replies()
        self._owed: deque[asyncio.Future[Any] | _Batch] = deque()
        self._outgoing: list[bytes] = []
        self._batches: dict[Sequence[bytes], _Batch] = {}
        self._is_due = False
        self._heard = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._is_suspected = False
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one, and does not say so

    def call(self, words: Sequence[Word]) -> Awaitable[Any]:
        """Return the reply to one command; refusals are returned, not raised.

        Raises:
            Unreachable: The connection ended or hangs; whether the command was carried out is not known.
        """
        if self.is_closed:
            raise away(self._url, None)
        future = self._loop.create_future()
        is_alone = not self._owed and not self._is_due
        self._watch_over()
        self._owed.append(future)
        if is_alone:
            self._transport.write(packed(tuple(words)))
        else:
            self._outgoing.append(packed(tuple(words)))
            self._flush_soon()
        return future

    async def look(self, key: bytes, shared: tuple[bytes, ...]) -> tuple[bytes | None, bytes | None]:
        """Return a value, and the versions of the keys that it depends on (None when one is missing), as of one moment.

        Raises:
            Unreachable: The connection ended or hangs.
            CommandRefused: The server refused.
        """
        batch = self._batches.get(shared)
        if batch is None:
            batch = self._begin(shared)
        future = self._loop.create_future()
        batch.keys.append(key)
        batch.waiting.append(future)
        if len(batch.keys) == _MOST_KEYS:
            self._send(self._batches.pop(shared))
        held = await future
        if type(held) is ReplyError:
            raise refusal(held)
        return held, batch.current

    def data_received(self, data: bytes) -> None:
        """Hand each reply to who asked."""
        self._heard = self._loop.time()
        self._is_suspected = False
        owed, is_crowd = self._owed, len(self._owed) > 1
        try:
            for reply in self._replies.feed(data):
                asked = owed.popleft()
                if type(asked) is _Batch:
                    asked.land(reply)
                    is_crowd = is_crowd or len(asked.keys) > 1
                elif not asked.done():  # type: ignore[union-attr]  # a future then
                    asked.set_result(reply)  # type: ignore[union-attr]
        except (Unreachable, IndexError) as err:
            self._end(err)
            return
        if is_crowd:
            self._flush_soon()  # behind those who were just answered: what they ask next leaves in the same turn

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self._end(exc)

    def close(self) -> None:
        """Close it; whoever waits is told."""
        self._end(None)

    def _begin(self, shared: tuple[bytes, ...]) -> _Batch:
        if self.is_closed:
            raise away(self._url, None)
        self._watch_over()
        self._flush_soon()
        batch = self._batches[shared] = _Batch(shared)
        return batch

    def _watch_over(self) -> None:
        """Watch that an answer comes."""
        if not self._owed:
            self._heard = self._loop.time()
            if self._watch is None:
                self._watch = self._loop.call_later(self._patience, self._look)

    def _flush_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._flush)

    def _send(self, batch: _Batch) -> None:
        self._owed.append(batch)
        self._outgoing.append(batch.command)

    def _flush(self) -> None:
        self._is_due = False
        if self.is_closed or not (self._outgoing or self._batches):
            return
        for batch in self._batches.values():
            self._send(batch)
        self._batches.clear()
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
        for asked in (*self._owed, *self._batches.values()):
            if isinstance(asked, _Batch):
                asked.crash(failure)
            elif not asked.done():
                asked.set_exception(Unreachable(failure.message, hint=failure.hint))
        self._owed.clear()
        self._batches.clear()
        self._outgoing.clear()


class Crowd:
    """Writers of this process: when many follow each other closely, their announcements leave together, 1 ms later at most."""

    __slots__ = ("_last", "_waiting")

    def __init__(self) -> None:
        """Start empty."""
        self._last: deque[float] = deque([0.0], maxlen=_MANY)
        self._waiting: list[asyncio.Future[None]] = []

    async def gather(self) -> None:
        """Wait for others, where there are enough of them."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        is_crowded = self._last[0] > now - _MANY * _GATHER
        self._last.append(now)
        if not is_crowded:
            return
        if not self._waiting:
            loop.call_later(_GATHER, self._release)
        future = loop.create_future()
        self._waiting.append(future)
        await future

    def _release(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting = []


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
