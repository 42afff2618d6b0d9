"""A shared connection and waiting for each other, with tasks of one event loop."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

from pgkeel.cache._colour.door import Door, dial
from pgkeel.cache._colour.flight import Flight
from pgkeel.cache._colour.together import Batch, Look, Shared
from pgkeel.cache.entry import MISS, Shelf
from pgkeel.cache.near import Near
from pgkeel.cache.wire import Replies, ReplyError, Word, away, packed
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import Unreachable

__all__ = ["Call", "Flight", "Gate", "Link", "Load", "nap", "open_link"]

T = TypeVar("T")
V = TypeVar("V")
Load = Callable[[], Awaitable[T]]
"""What reads the database."""
Call = Callable[..., Awaitable[T]]
Gate = asyncio.Lock
nap = asyncio.sleep
_GRACE = 0.01
_MOST_KEYS = 128
_NEAR_PING = 0.5


class Link(asyncio.Protocol):
    """One connection that all tasks share: what is asked in one turn of the loop leaves in one packet.

    Attributes:
        memory: What this process keeps of it, or None where nobody has asked for that yet.
    """

    def __init__(self, url: CacheUrl, patience: float) -> None:
        """Serve the running loop; the server may be silent for so many seconds while it owes an answer."""
        self._url = url
        self._patience = patience
        self.loop = asyncio.get_running_loop()
        self._replies = Replies(self._pushed)
        self.memory: Near | None = None
        self._told = 0.0
        self.owed: deque[asyncio.Future[Any] | Shared | None] = deque()
        self._outgoing: list[bytes] = []
        self._batches: dict[tuple[Sequence[bytes], float], Batch] = {}
        self._latest: Batch | None = None
        self._is_due = False
        self._heard = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._is_suspected = False
        self.door: Door | None = None
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and the socket where it carries what we say as it is."""
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is one, and does not say so
        door = transport.get_extra_info("socket")
        if door is not None and not self._url.is_tls:
            self.door = Door(door.fileno())

    def call(self, words: Sequence[Word]) -> Awaitable[Any]:
        """Return the reply to one command; refusals are returned, not raised.

        Raises:
            Unreachable: The connection ended or hangs; whether the command was carried out is not known.
        """
        if self.is_closed:
            raise away(self._url, None)
        future = self.loop.create_future()
        is_alone = not self.owed and not self._is_due
        self._watch_over()
        self.owed.append(future)
        if is_alone:
            self._transport.write(packed(tuple(words)))
        else:
            self._outgoing.append(packed(tuple(words)))
            self._flush_soon()
        return future

    def mention(self, words: Sequence[Word]) -> None:
        """Send a command whose reply nobody waits for."""
        asyncio.ensure_future(self.call(words)).add_done_callback(lambda future: future.cancelled() or future.exception())

    def take_over(self, asked: Shared, rest: bytes, received: bytes) -> None:
        """Wait for what was asked at the door: send the rest of it, and take what came back so far."""
        self._watch_over()
        self.owed += [asked] * asked.replies
        if rest:
            self._transport.write(rest)
        if received:
            self.data_received(received)

    def near(self, key: bytes, shelf: Shelf[V], now: float) -> V | None:
        """Return a value that this process keeps, to each caller its own; or `MISS`, also when the server was silent for long.

        The connection is open: whoever asks has looked.
        """
        near = self.memory
        if near is None or now - self._told > _NEAR_PING:
            return MISS  # type: ignore[no-any-return]
        kept = near.kept.get(key)
        if kept is not None and kept.shelf is shelf and kept.until >= now:
            return kept.again()  # type: ignore[no-any-return]  # it is judged already
        kept = near.get(key, now)
        return MISS if kept is None else shelf.near(kept)

    def forget(self, keys: Sequence[bytes] | None) -> None:
        """Let go of values that this process keeps; None is all."""
        if self.memory is not None:
            self.memory.forget(keys)

    def look(self, key: bytes, shared: tuple[bytes, ...], near: float = 0.0) -> Look:
        """Return a value, and the versions of the keys that it depends on (None when one is missing), as of one moment.

        Args:
            key: The value's name.
            shared: The names of what it depends on.
            near: Seconds for which this process keeps it at most; 0 is not at all.

        Raises:
            Unreachable: The connection ended or hangs.
            CommandRefused: The server refused.
        """
        batch = self._latest
        if batch is None or batch.shared is not shared or batch.near != near:  # mostly it is what another read began just now
            batch = self._latest = self._batches.get((shared, near)) or self._begin(shared, near)
        keys = batch.keys
        look = Look(batch, len(keys))
        keys.append(key)
        batch.looks.append(look)
        if len(keys) == _MOST_KEYS:
            self._latest = None
            self._owe(self._batches.pop((shared, near)))
        return look

    def data_received(self, data: bytes) -> None:
        """Hand each reply to who asked; what they ask next leaves before this turn of the loop ends."""
        self._heard = self._told = self.loop.time()
        self._is_suspected = False
        is_crowd = bool(self.owed) and self.owed[0] is not self.owed[-1]
        arrived: list[Shared] = []
        try:
            self._hand_out(data, arrived)
        except (Unreachable, IndexError) as err:
            self._end(err)
        self._land(arrived)
        if is_crowd and not self.is_closed:
            self._flush_soon()  # behind those who were just answered: what they ask next leaves in the same turn

    def _land(self, arrived: list[Shared]) -> None:
        """Let tasks go on; what they ask next leaves at once, together."""
        if not arrived:
            return
        self._is_due = True
        try:
            for batch in arrived:
                batch.land()
        finally:
            self._flush()

    def _hand_out(self, data: bytes, arrived: list[Shared]) -> None:
        owed = self.owed
        for reply in self._replies.feed(data):
            asked = owed.popleft()
            if isinstance(asked, Shared):
                is_whole = asked.arrive(reply)
                if is_whole is None:
                    continue
                if not is_whole:
                    self._owe(asked)
                    self._flush_soon()
                    continue
                arrived.append(asked)
                if asked.near:
                    self._keep(cast("Batch", asked), reply)
            elif asked is not None and not asked.done():
                asked.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self._end(exc)

    def close(self) -> None:
        """Close it, after what was said in this turn of the loop; whoever waits is told."""
        self._flush()
        self._end(None)

    def _begin(self, shared: tuple[bytes, ...], near: float) -> Batch:
        if self.is_closed:
            raise away(self._url, None)
        self._watch_over()
        self._flush_soon()
        batch = self._batches[shared, near] = Batch(shared, near, self.loop)
        return batch

    def _watch_over(self) -> None:
        """Watch that an answer comes."""
        if not self.owed:
            self._heard = self.loop.time()
            if self._watch is None:
                self._watch = self.loop.call_later(self._patience, self._look)

    def _flush_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self.loop.call_soon(self._flush)

    def _pushed(self, message: Any) -> None:  # noqa: ANN401 - [kind, keys]
        if message[0] == b"invalidate":
            self.forget(message[1])

    def _keep(self, batch: Batch, reply: Any) -> None:  # noqa: ANN401 - any reply
        """Keep what arrives, now: the next message may be about it."""
        if batch.current is None or self.memory is None or type(reply) is ReplyError:
            return
        for key, held in zip(batch.keys, reply, strict=False):
            if held is not None and held.startswith(b"V"):
                self.memory.put(key, held, batch.current, batch.shared, batch.near)

    def _track(self) -> None:
        """Ask to be told when what the next command reads is changed."""
        if self.memory is None:
            self.memory = Near()
            self.owed.append(None)
            self._outgoing.append(packed(("CLIENT", "TRACKING", "ON", "OPTIN")))
        self.owed.append(None)
        self._outgoing.append(packed(("CLIENT", "CACHING", "YES")))

    def send(self, asked: Shared) -> None:
        """Send a command for several tasks, now.

        Raises:
            Unreachable: The connection has ended.
        """
        if self.is_closed:
            raise away(self._url, None)
        self._watch_over()
        self._owe(asked)
        self._flush()

    def _owe(self, asked: Shared) -> None:
        if asked.near:
            self._track()
        self._outgoing.append(asked.command)
        self.owed += [asked] * asked.replies

    def _flush(self) -> None:
        self._is_due = False
        if self.is_closed or not (self._outgoing or self._batches):
            return
        for batch in self._batches.values():
            self._owe(batch)
        self._batches.clear()
        self._latest = None
        self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()

    def _look(self) -> None:
        """End the connection when nothing came for too long; a loop that was blocked itself gets one more turn to read."""
        self._watch = None
        if not self.owed or self.is_closed:
            return
        left = self._heard + self._patience - self.loop.time()
        if left <= 0 and self._is_suspected:
            self._end(TimeoutError())
            return
        self._is_suspected = left <= 0
        self._watch = self.loop.call_later(max(left, _GRACE), self._look)

    def _end(self, error: BaseException | None) -> None:
        self.is_closed, self.door = True, None
        self._transport.abort()
        if self._watch is not None:
            self._watch.cancel()
        failure = error if isinstance(error, Unreachable) else away(self._url, error)
        for asked in (*self.owed, *self._batches.values()):
            if isinstance(asked, Shared):
                asked.crash(failure)
            elif asked is not None and not asked.done():
                asked.set_exception(Unreachable(failure.message, hint=failure.hint))
        self.owed.clear()
        self._batches.clear()
        self._latest = None
        self._outgoing.clear()


async def open_link(url: CacheUrl, patience: float) -> Link:
    """Return a connection to the server.

    Raises:
        Unreachable: There is none in time.
    """
    return await dial(url, patience, lambda: Link(url, patience))
