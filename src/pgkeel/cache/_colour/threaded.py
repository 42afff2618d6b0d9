"""A shared connection and waiting for each other, with threads."""

import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Generic, TypeVar

from pgkeel.cache._colour.cover import Plain, Tls
from pgkeel.cache.entry import MISS, Shelf, joined
from pgkeel.cache.near import Near
from pgkeel.cache.wire import Replies, ReplyError, Word, away, packed, refusal
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.clock import monotonic
from pgkeel.core.errors import Unreachable

__all__ = ["Call", "Flight", "Gate", "Link", "Load", "nap", "open_link"]

T = TypeVar("T")
V = TypeVar("V")
Load = Callable[[], T]
"""What reads the database."""
Call = Callable[..., T]
Gate = threading.Lock
nap = time.sleep
_CHUNK = 65536
_NEAR_PING = 0.5


class Wanted(Future[Any]):
    """A reply that is owed, and for how long the process keeps the value in it."""

    def __init__(self, key: bytes = b"", shared: tuple[bytes, ...] = (), near: float = 0.0) -> None:
        """Keep it for no time unless told."""
        super().__init__()
        self.key = key
        self.shared = shared
        self.near = near


class Link:
    """One connection that all threads share: whoever waits and finds nobody reading reads for all.

    Attributes:
        memory: What this process keeps of it, or None where nobody has asked for that yet.
    """

    def __init__(self, url: CacheUrl, door: socket.socket, cover: Plain | Tls) -> None:
        """Take an open socket; its timeout is how long the server may be silent while it owes an answer."""
        self._url = url
        self._door = door
        self._cover = cover
        self._replies = Replies(self._pushed)
        self._turn = threading.Condition()
        self._owed: deque[Wanted] = deque()
        self._is_reading = False
        self.memory: Near | None = None
        self._told = 0.0
        self.is_closed = False

    def call(self, words: Sequence[Word]) -> Any:  # noqa: ANN401 - any reply
        """Return the reply to one command; refusals are returned, not raised.

        Raises:
            Unreachable: The connection ended or hangs; whether the command was carried out is not known.
        """
        return self.send(packed(tuple(words)), 1)[0]

    def send(self, packet: bytes, number: int) -> list[Any]:
        """Return the replies to so many commands, which are carried out behind each other; refusals are returned, not raised.

        Raises:
            Unreachable: The connection ended or hangs; which of the commands were carried out is not known.
        """
        wanted = [Wanted() for _ in range(number)]
        with self._turn:
            self._ask(packet, *wanted)
        return [one.result() for one in wanted]

    def mention(self, words: Sequence[Word]) -> None:
        """Send a command whose reply does not matter."""
        with suppress(Unreachable):
            self.call(words)

    def near(self, key: bytes, shelf: Shelf[V], now: float) -> V | None:
        """Return a value that this process keeps, to each caller its own; or `MISS`, also when the server was silent for long.

        What the server has said by now is heard first: nobody reads while no thread waits for an answer.
        """
        if self.memory is None:
            return MISS  # type: ignore[no-any-return]
        with self._turn:
            while not (self.is_closed or self._is_reading) and self._has_news():
                self._deliver(*self._received())
            if self.is_closed or now - self._told > _NEAR_PING:
                return MISS  # type: ignore[no-any-return]
            kept = self.memory.get(key, now)
        return MISS if kept is None else shelf.near(kept)

    def forget(self, keys: Sequence[bytes] | None) -> None:
        """Let go of values that this process keeps; None is all."""
        if self.memory is not None:
            with self._turn:
                self.memory.forget(keys)

    def look(self, key: bytes, shared: tuple[bytes, ...], near: float = 0.0) -> tuple[bytes | None, bytes | None]:
        """Return a value, and the versions of the keys that it depends on (None when one is missing), as of one moment.

        Args:
            key: The value's name.
            shared: The names of what it depends on.
            near: Seconds for which this process keeps it at most; 0 is not at all.

        Raises:
            Unreachable: The connection ended or hangs.
            CommandRefused: The server refused.
        """
        command = packed(("MGET", key, *shared))
        if near:
            reply = self._look_near(command, Wanted(key, shared, near))
        else:
            with self._turn:
                reply = self._ask(command, Wanted())
        if type(reply) is ReplyError:
            raise refusal(reply)
        return reply[0], joined(reply[1:])

    def _look_near(self, command: bytes, wanted: "Wanted") -> Any:  # noqa: ANN401 - any reply
        """Ask to be told when what the command reads is changed, and read it."""
        with self._turn:
            asks: list[tuple[str, ...]] = [("CLIENT", "CACHING", "YES")]
            if self.memory is None:
                self.memory = Near()
                asks.insert(0, ("CLIENT", "TRACKING", "ON", "OPTIN"))
            return self._ask(b"".join(map(packed, asks)) + command, *(Wanted() for _ in asks), wanted)

    def _ask(self, command: bytes, *wanted: "Wanted") -> Any:  # noqa: ANN401 - any reply
        """Send commands in our turn, and return the reply to the last one."""
        if self.is_closed:
            raise away(self._url, None)
        try:
            self._door.sendall(self._cover.wrap(command))
        except OSError as err:
            self._end(err)
            raise away(self._url, err) from None
        self._owed += wanted
        try:
            while not wanted[-1].done():
                self._advance()
        except BaseException:  # an interrupt in the middle of a read: whose answer comes next is not known
            self._end(None)
            raise
        return wanted[-1].result()

    def _has_news(self) -> bool:
        found = select.poll()
        found.register(self._door, select.POLLIN)
        return bool(found.poll(0))

    def _pushed(self, message: Any) -> None:  # noqa: ANN401 - [kind, keys]
        if message[0] == b"invalidate" and self.memory is not None:
            self.memory.forget(message[1])

    def close(self) -> None:
        """Close it; whoever waits is told."""
        with self._turn:
            self._end(None)

    def _advance(self) -> None:
        """Wait until somebody else has read something, or read."""
        if self._is_reading:
            self._turn.wait()
            return
        self._is_reading = True
        self._turn.release()
        try:
            received, error = self._received()
        finally:
            self._turn.acquire()
            self._is_reading = False
        self._deliver(received, error)
        self._turn.notify_all()

    def _received(self) -> tuple[bytes, OSError | None]:
        try:
            return self._door.recv(_CHUNK), None
        except OSError as err:
            return b"", err

    def _deliver(self, received: bytes, error: OSError | None) -> None:
        if not received:
            self._end(error)
            return
        try:
            self._told = monotonic()
            for reply in self._replies.feed(self._cover.unwrap(received)):
                wanted = self._owed.popleft()
                wanted.set_result(reply)
                if self.memory is not None and wanted.near:
                    self._keep(self.memory, wanted, reply)
        except (OSError, Unreachable, IndexError) as err:
            self._end(err)

    def _keep(self, near: Near, wanted: "Wanted", reply: Any) -> None:  # noqa: ANN401 - any reply
        """Keep what arrives, now: the next message may be about it."""
        if type(reply) is ReplyError or (current := joined(reply[1:])) is None:
            return
        if reply[0] is not None and reply[0].startswith(b"V"):
            near.put(wanted.key, reply[0], current, wanted.shared, wanted.near)

    def _end(self, error: BaseException | None) -> None:
        self.is_closed = True
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # wakes whoever reads
        self._door.close()
        failure = error if isinstance(error, Unreachable) else away(self._url, error)
        while self._owed:
            self._owed.popleft().set_exception(Unreachable(failure.message, hint=failure.hint))
        self._turn.notify_all()


def open_link(url: CacheUrl, patience: float) -> Link:
    """Return a connection to the server.

    Raises:
        Unreachable: There is none in time.
    """
    cover = Tls(url) if url.is_tls else Plain()
    try:
        door = _open_door(url, patience, cover)
    except (OSError, UnicodeError) as err:
        failure = away(url, err)
    else:
        return Link(url, door, cover)
    raise failure


def _open_door(url: CacheUrl, patience: float, cover: Plain | Tls) -> socket.socket:
    door = socket.socket(socket.AF_UNIX) if url.socket else socket.create_connection((url.host, url.port), timeout=patience)
    try:
        door.settimeout(patience)
        if url.socket:
            door.connect(url.socket)
        else:
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if isinstance(cover, Tls):
            cover.shake_hands(door)
    except BaseException:
        door.close()
        raise
    return door


class Flight(Generic[T]):
    """A read that several callers may share."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        """Start it."""
        self._future: Future[T] = Future()

    def land(self, found: T) -> None:
        """Give the result to whoever joined."""
        self._future.set_result(found)

    def crash(self) -> None:
        """Let whoever joined read for themselves; nothing happens after it landed."""
        self._future.cancel()

    def join(self, seconds: float) -> T:
        """Return the result.

        Raises:
            TimeoutError: It did not land in time, or crashed.
        """
        try:
            return self._future.result(seconds)
        except CancelledError as err:
            raise TimeoutError from err
