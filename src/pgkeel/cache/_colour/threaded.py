"""A shared connection and waiting for each other, with threads."""

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pgkeel.cache.entry import fresh, joined
from pgkeel.cache.wire import Replies, ReplyError, Word, away, packed, refusal, tls_context
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import Unreachable

if TYPE_CHECKING:
    from pgkeel.cache._sync.client import Client

__all__ = ["Call", "Crowd", "Flight", "Gate", "Link", "Load", "nap", "open_link"]

T = TypeVar("T")
Load = Callable[[], T]
"""What reads the database."""
Call = Callable[..., T]
Gate = threading.Lock
nap = time.sleep
_CHUNK = 65536


class _Plain:
    """Bytes as they are."""

    def wrap(self, clear: bytes) -> bytes:
        """Return what goes over the wire."""
        return clear

    def unwrap(self, received: bytes) -> bytes:
        """Return what came over it."""
        return received


class _Tls:
    """TLS in memory: a thread may send while another receives, which a TLS socket does not allow."""

    def __init__(self, url: CacheUrl) -> None:
        """Verify the server's certificate and name."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls_context(url.authority).wrap_bio(self._incoming, self._outgoing, server_hostname=url.host)

    def shake_hands(self, door: socket.socket) -> None:
        """Agree on keys."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                door.sendall(self._outgoing.read())
                received = door.recv(_CHUNK)
                if not received:
                    raise ConnectionResetError from None
                self._incoming.write(received)
            else:
                return door.sendall(self._outgoing.read())

    def wrap(self, clear: bytes) -> bytes:
        """Return what goes over the wire."""
        self._tls.write(clear)
        return self._outgoing.read()

    def unwrap(self, received: bytes) -> bytes:
        """Return what came over it."""
        self._incoming.write(received)
        parts: list[bytes] = []
        try:
            while part := self._tls.read(_CHUNK):
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        return b"".join(parts)


class Link:
    """One connection that all threads share: whoever waits and finds nobody reading reads for all."""

    def __init__(self, url: CacheUrl, door: socket.socket, cover: _Plain | _Tls) -> None:
        """Take an open socket; its timeout is how long the server may be silent while it owes an answer."""
        self._url = url
        self._door = door
        self._cover = cover
        self._replies = Replies()
        self._turn = threading.Condition()
        self._owed: deque[Future[Any]] = deque()
        self._is_reading = False
        self.is_closed = False

    def call(self, words: Sequence[Word]) -> Any:  # noqa: ANN401 - any reply
        """Return the reply to one command; refusals are returned, not raised.

        Raises:
            Unreachable: The connection ended or hangs; whether the command was carried out is not known.
        """
        wanted: Future[Any] = Future()
        with self._turn:
            if self.is_closed:
                raise away(self._url, None)
            try:
                self._door.sendall(self._cover.wrap(packed(tuple(words))))
            except OSError as err:
                self._end(err)
                raise away(self._url, err) from None
            self._owed.append(wanted)
            try:
                while not wanted.done():
                    self._advance()
            except BaseException:  # an interrupt in the middle of a read: whose answer comes next is not known
                self._end(None)
                raise
        return wanted.result()

    def mention(self, words: Sequence[Word]) -> None:
        """Send a command whose reply does not matter."""
        with suppress(Unreachable):
            self.call(words)

    def near(self, key: bytes) -> tuple[bytes, bytes] | None:  # noqa: ARG002 - the other colour's
        """Return None: a thread that waits for nothing does not hear what the server says."""
        return None

    def forget(self, keys: Sequence[bytes] | None) -> None:
        """Do nothing: nothing is kept."""

    def look(
        self,
        key: bytes,
        shared: tuple[bytes, ...],
        near: float = 0.0,  # noqa: ARG002 - the other colour's
    ) -> tuple[bytes | None, bytes | None]:
        """Return a value, and the versions of the keys that it depends on (None when one is missing), as of one moment.

        Args:
            key: The value's name.
            shared: The names of what it depends on.
            near: Without effect.

        Raises:
            Unreachable: The connection ended or hangs.
            CommandRefused: The server refused.
        """
        reply = self.call(("MGET", key, *shared))
        if type(reply) is ReplyError:
            raise refusal(reply)
        return reply[0], joined(reply[1:])

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
        received, error = b"", None
        try:
            received = self._door.recv(_CHUNK)
        except OSError as err:
            error = err
        finally:
            self._turn.acquire()
            self._is_reading = False
        self._deliver(received, error)
        self._turn.notify_all()

    def _deliver(self, received: bytes, error: OSError | None) -> None:
        if not received:
            self._end(error)
            return
        try:
            for reply in self._replies.feed(self._cover.unwrap(received)):
                self._owed.popleft().set_result(reply)
        except (OSError, Unreachable, IndexError) as err:
            self._end(err)

    def _end(self, error: BaseException | None) -> None:
        self.is_closed = True
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)  # wakes whoever reads
        self._door.close()
        failure = error if isinstance(error, Unreachable) else away(self._url, error)
        while self._owed:
            self._owed.popleft().set_exception(Unreachable(failure.message, hint=failure.hint))
        self._turn.notify_all()


class Crowd:
    """Writers of this process; threads do not wait for each other."""

    def __init__(self, client: "Client") -> None:
        """Speak to this server."""
        self._client = client

    def tell(self, name: str, rows: Sequence[bytes], tags: Sequence[bytes], who: bytes, milliseconds: int = 0) -> None:
        """Run the script `mark` or `release` on rows and tags.

        Raises:
            Unreachable: The server does not answer.
            CommandRefused: It refused.
        """
        keys = [*rows, *tags]
        self._client.run(name, keys, len(rows), fresh(), milliseconds, *[who] * len(keys))


def open_link(url: CacheUrl, patience: float) -> Link:
    """Return a connection to the server.

    Raises:
        Unreachable: There is none in time.
    """
    cover = _Tls(url) if url.is_tls else _Plain()
    try:
        door = _open_door(url, patience, cover)
    except (OSError, UnicodeError) as err:
        failure = away(url, err)
    else:
        return Link(url, door, cover)
    raise failure


def _open_door(url: CacheUrl, patience: float, cover: _Plain | _Tls) -> socket.socket:
    door = socket.socket(socket.AF_UNIX) if url.socket else socket.create_connection((url.host, url.port), timeout=patience)
    try:
        door.settimeout(patience)
        if url.socket:
            door.connect(url.socket)
        else:
            door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if isinstance(cover, _Tls):
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
