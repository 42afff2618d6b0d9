"""Find the server: Sentinels name their primary, a node of a cluster names the one that has our keys.

All keys of a namespace have the same hash tag, so that they lie on one node, and one connection to it is enough.
"""

from collections.abc import Sequence
from typing import Any

from pgkeel.cache._colour.asynchronous import Link, open_link
from pgkeel.cache.wire import ReplyError, Word
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import Unreachable

__all__ = ["find_server"]


async def find_server(url: CacheUrl, key: bytes, patience: float) -> CacheUrl:
    """Return the address of the server that has a key now; the address itself where nobody is to be asked.

    Raises:
        Unreachable: None of those who know answers, or they know of none.
    """
    if not url.via:
        return url
    for host, port in url.seeds:
        try:
            found = await _asked(url, url.at(host, port), key, patience)
        except Unreachable:
            continue
        if found is not None:
            return url.at(*found)
    raise Unreachable(f"nobody of {url} says where the cache is", hint="see whether they run, and what they say of it")


async def _asked(url: CacheUrl, seed: CacheUrl, key: bytes, patience: float) -> tuple[str, int] | None:
    link = await open_link(seed, patience)
    try:
        if url.via == "sentinel":
            named = await _answer(link, url, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", url.primary))
            return (named[0].decode(), int(named[1])) if isinstance(named, list) else None
        slot = await _answer(link, url, ("CLUSTER", "KEYSLOT", key))
        return _owner(await _answer(link, url, ("CLUSTER", "SLOTS")), slot, seed.host)
    finally:
        link.close()


async def _answer(link: Link, url: CacheUrl, words: Sequence[Word]) -> Any:  # noqa: ANN401 - any reply
    reply = await link.call(words)
    if type(reply) is ReplyError and str(reply).startswith("NOAUTH") and url.password is not None:
        await link.call(("AUTH", url.user or "default", url.password.reveal()))
        reply = await link.call(words)
    return reply


def _owner(ranges: Any, slot: object, host: str) -> tuple[str, int] | None:  # noqa: ANN401 - any reply
    """Return the primary of a slot; a node that does not know its own address was reached under this host."""
    if not isinstance(ranges, list) or not isinstance(slot, int):
        return None
    for first, last, primary, *_ in ranges:
        if first <= slot <= last:
            return (primary[0] or b"").decode() or host, primary[1]
    return None
