"""The way to the server for tasks of one event loop: over its transport, or at the socket itself."""

import asyncio
import os
import select
from collections.abc import Callable
from typing import TypeVar

from pgkeel.cache.wire import away, tls_context
from pgkeel.core.cache_url import CacheUrl

__all__ = ["at_the_door", "dial"]

P = TypeVar("P", bound=asyncio.Protocol)
_IN_PLACE = 0.0002
_CHUNK = 65536


def at_the_door(door: int, command: bytes) -> tuple[int, bytes]:
    """Write to a socket; return how much of it left, and what came back within 0.2 ms."""
    sent, received = 0, b""
    try:
        sent = os.write(door, command)
        if select.select((door,), (), (), _IN_PLACE)[0]:
            received = os.read(door, _CHUNK)
    except OSError:  # the transport sees it too, and tells who waits
        pass
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
