# Generated from pgkeel/cache/_async/client.py by tools/unasync.py; do not edit.
"""One connection to the cache server that everybody shares, made again when it ends."""

from collections.abc import Sequence
from typing import Any

from pgkeel.cache._colour.threaded import Call, Gate, Link, open_link
from pgkeel.cache.errors import CacheUnsuitable, CommandRefused, LoginRefused
from pgkeel.cache.script import script
from pgkeel.cache.server import Server, server_of
from pgkeel.cache.wire import ReplyError, Word, refusal
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.clock import monotonic
from pgkeel.core.errors import Unreachable

__all__ = ["Client"]

_SHORTEST_BREAK = 0.05
_LONGEST_BREAK = 5.0
_MOVED = {"MOVED", "ASK", "READONLY", "CLUSTERDOWN", "MASTERDOWN"}
"""What a server says that is not, or no longer, the one that has our keys."""
_LOGIN_WORDS = {"WRONGPASS", "NOAUTH", "NOPERM"}


class Client:
    """Commands to one server.

    After a connection failed, commands fail at once for a while (50 ms, doubled up to 5 s): no caller waits for a dead server.
    """

    def __init__(self, url: CacheUrl | str, *, patience: float = 1.0, home: bytes = b"") -> None:
        """Say where; the first command connects.

        Args:
            url: The address.
            patience: Seconds that connecting may take, and that the server may be silent while it owes an answer.
            home: One of the keys; in a cluster, the node that has it is the server.

        Raises:
            ConfigError: The address is none, or one of Sentinels or of a cluster, and redis-py is not installed.
        """
        self._home = home
        self.url = url if isinstance(url, CacheUrl) else CacheUrl.parse(url)
        self._find = _finder() if self.url.via else None
        self.server: Server | None = None
        self._patience = patience
        self.link: Link | None = None
        self._gate = Gate()
        self._break = _SHORTEST_BREAK
        self._retry_at = 0.0
        self._greet: Call[None] | None = None

    def on_connect(self, greet: Call[None]) -> None:
        """Call this with each new connection and its server, before anybody else's command."""
        self._greet = greet

    def open(self) -> None:
        """Connect now.

        Raises:
            Unreachable: The server does not answer.
            LoginRefused: The user or password is wrong.
            CacheUnsuitable: The server is too old, or a replica.
        """
        self.connected()

    def close(self) -> None:
        """Close the connection; the next command opens another."""
        if self.link is not None:
            self.link.close()

    def call(self, *words: Word) -> Any:  # noqa: ANN401 - any reply
        """Return the reply to one command.

        Raises:
            Unreachable: The server does not answer; whether the command was carried out is not known.
            CommandRefused: It refused the command.
        """
        link = self.link
        if link is None or link.is_closed:
            link = self.connected()
        reply = link.call(words)
        if type(reply) is ReplyError:
            raise self.noted(refusal(reply))
        return reply

    def noted(self, refused: CommandRefused) -> CommandRefused:
        """Leave a server that says that it is not the one any more, so that the next command finds the one that is."""
        if refused.kind in _MOVED and self.link is not None:
            self.link.close()
        return refused

    def run(self, name: str, keys: Sequence[bytes], *values: Word) -> Any:  # noqa: ANN401 - any reply
        """Return what one of our Lua scripts returns."""
        wanted = script(name)
        try:
            return self.call("EVALSHA", wanted.digest, len(keys), *keys, *values)
        except CommandRefused as err:
            if err.kind != "NOSCRIPT":
                raise
        return self.call("EVAL", wanted.text, len(keys), *keys, *values)

    def set_if_equal(self, key: bytes, expected: bytes, value: bytes, milliseconds: int) -> bool:
        """Set a key that still has the expected value, with a time to live; return whether it did."""
        if self.server is not None and self.server.can_compare:
            return self.call("SET", key, value, "IFEQ", expected, "PX", milliseconds) is not None
        return bool(self.run("set_equal", [key], expected, value, milliseconds))

    def delete_if_equal(self, key: bytes, expected: bytes) -> bool:
        """Delete a key that still has the expected value; return whether it did."""
        if self.server is not None and self.server.can_delete_equal:
            return bool(self.call("DELIFEQ", key, expected))
        return bool(self.run("delete_equal", [key], expected))

    def connected(self) -> Link:
        """Return the connection; one caller opens it for all. After a failure the others do not wait until he has tried.

        Raises:
            Unreachable: The server does not answer, or did not just now.
            LoginRefused: The user or password is wrong.
            CacheUnsuitable: The server is too old, or a replica.
        """
        if self._retry_at and self._gate.locked():
            raise self._away()
        with self._gate:
            if self.link is not None and not self.link.is_closed:
                return self.link
            if monotonic() < self._retry_at:
                raise self._away()
            try:
                at = self.url if self._find is None else self._find(self.url, self._home, self._patience)
                link = open_link(at, self._patience)
                self._welcome(link)
            except Exception:
                self._retry_at = monotonic() + self._break
                self._break = min(self._break * 2, _LONGEST_BREAK)
                raise
            self._break, self._retry_at = _SHORTEST_BREAK, 0.0
            self.link = link
            return link

    def _away(self) -> Unreachable:
        return Unreachable(f"the cache {self.url} did not answer just now", hint="`pgkeel status` shows what is running")

    def _welcome(self, link: Link) -> None:
        """Log in and learn what the server is."""
        try:
            for words in (*self._login(), ("INFO",)):
                reply = self._agreed(link, words)
            self.server = server_of(reply.decode())
            if self._greet is not None:
                self._greet(link, self.server)
        except BaseException:
            link.close()
            raise

    def _agreed(self, link: Link, words: Sequence[Word]) -> Any:  # noqa: ANN401 - any reply
        reply = link.call(words)
        if type(reply) is ReplyError:
            raise _refusal_of_login(reply, self.url, words)
        return reply

    def _login(self) -> list[list[Word]]:
        login: list[Word] = ["HELLO", 3]
        if self.url.password is not None:
            login += ["AUTH", self.url.user or "default", self.url.password.reveal()]
        wanted: list[list[Word]] = [[*login, "SETNAME", "pgkeel"]]
        return [*wanted, ["SELECT", self.url.database]] if self.url.database else wanted


def _finder() -> Call[CacheUrl]:
    from pgkeel.cache._sync.discovery import find_server  # noqa: PLC0415 - imports redis-py

    return find_server


def _refusal_of_login(reply: Exception, url: CacheUrl, words: Sequence[Word]) -> LoginRefused | CacheUnsuitable | Unreachable:
    kind = str(reply).partition(" ")[0]
    if kind in _LOGIN_WORDS:
        return LoginRefused(f"the cache {url} refused the login ({kind})", hint="correct user and password; INFO must be allowed")
    if kind in {"LOADING", "BUSY", "MASTERDOWN"}:
        return Unreachable(f"the cache {url} is not ready ({kind})", hint="wait a moment")
    if words[0] == "SELECT":
        return CacheUnsuitable(f"the cache {url} has no database {url.database}", hint="end its address with /0")
    return CacheUnsuitable(f"the cache {url} refused to begin ({kind})", hint="it must be Valkey 8 or Redis 7, or newer")
