"""Replies of the RESP3 protocol, in the order of their commands."""

from collections.abc import Callable, Iterator
from functools import cache
from ssl import SSLContext, SSLError, create_default_context
from typing import Any

from pgkeel.cache.errors import CommandRefused
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError, Unreachable

try:
    import hiredis
except ImportError as err:  # pragma: no cover - the extra is not installed
    raise ConfigError("the cache needs a package that is not installed", hint='install "pgkeel[cache]"') from err

__all__ = ["Replies", "ReplyError", "Word", "away", "packed", "refusal", "tls_context"]

Word = bytes | str | int
ReplyError = hiredis.ReplyError
_NOTHING = object()
packed: Callable[[Any], bytes] = hiredis.pack_command


class Replies:
    """Cuts the bytes of a connection into replies; what the server pushes unasked is left out."""

    __slots__ = ("_reader",)

    def __init__(self) -> None:
        """Start with nothing."""
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)

    def feed(self, received: bytes) -> Iterator[Any]:
        """Yield the replies that are complete now.

        Raises:
            Unreachable: What arrives is not the protocol.
        """
        reader = self._reader
        try:
            reader.feed(received)
            while (reply := reader.gets()) is not _NOTHING:
                if not isinstance(reply, hiredis.PushNotification):
                    yield reply
        except hiredis.ProtocolError as err:
            raise Unreachable("what answers there is not a cache server", hint="correct the address") from err


@cache
def tls_context(authority: str) -> SSLContext:
    """Return what verifies the server's certificate and name.

    Raises:
        ConfigError: The authority's file cannot be read.
    """
    try:
        return create_default_context(cafile=authority or None)
    except (OSError, SSLError) as err:
        raise ConfigError(f"the authority file {authority} of the cache cannot be used", hint="correct its path") from err


def refusal(reply: Exception) -> CommandRefused:
    """Return what a caller is told when the server refused a command."""
    kind = str(reply).partition(" ")[0]
    return CommandRefused(f"the cache refused a command: {kind}", hint="see the server's log, its memory and its ACL", kind=kind)


def away(url: CacheUrl, error: BaseException | None) -> Unreachable:
    """Return what a caller is told when a connection could not be made or has ended."""
    reason = "no answer in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", None) or "connection closed"
    return Unreachable(f"the cache {url} does not answer: {reason}", hint="`pgkeel status` shows what is running")
