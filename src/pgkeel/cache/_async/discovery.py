"""Find the server through redis-py: Sentinels name their primary, a node of a cluster names the one that has our keys.

All keys of a namespace have the same hash tag, so that they lie on one node, and one connection to it is enough. That connection
is ours. Imported with such an address only: redis-py takes as long to import as all the rest.
"""

from random import SystemRandom
from typing import Any

from pgkeel.cache.errors import LoginRefused
from pgkeel.cache.wire import tls_context
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError, Unreachable

try:
    from redis.asyncio.retry import Retry
    from redis.asyncio.sentinel import Sentinel
    from redis.backoff import NoBackoff
    from redis.exceptions import AuthenticationError, RedisClusterException, RedisError

    from pgkeel.cache._colour.nodes import owner_of
except ImportError as err:
    raise ConfigError("Sentinels and clusters need a package that is not installed", hint='install "pgkeel[cache]"') from err

__all__ = ["find_server"]

Options = dict[str, Any]
_FAILURES = (RedisError, RedisClusterException, OSError, ValueError, LookupError, TypeError)
"""What redis-py raises; the last three where an answer is not what it expects."""


async def find_server(url: CacheUrl, key: bytes, patience: float) -> CacheUrl:
    """Return the address of the server that has a key now.

    They are asked in another order each time: who is behind is not believed again and again.

    Args:
        url: Who is asked.
        key: A key of ours.
        patience: Seconds, which all of them share.

    Raises:
        Unreachable: None of those who know answers, or they know of none.
        LoginRefused: One of them answers and refuses the login, and no other helps.
        ConfigError: The file of the authority cannot be read.
    """
    options, is_refused = _options(url, patience / len(url.seeds)), False
    for host, port in SystemRandom().sample(url.seeds, len(url.seeds)):
        try:
            found = await (_named(url, host, port, options) if url.via == "sentinel" else _owner(url, host, port, key, options))
        except _FAILURES as err:
            is_refused = is_refused or _is_about_login(err)
        else:
            return url.at(*found)
    if is_refused:
        raise LoginRefused(f"those who know of {url} refused the login", hint="correct user and password")
    raise Unreachable(f"nobody of {url} says where the cache is", hint="see whether they run, and what they say to this user")


async def _named(url: CacheUrl, host: str, port: int, options: Options) -> tuple[str, int]:
    """Return what a Sentinel says; one that asks for no password gets none."""
    try:
        return await _discovered(url, host, port, options)
    except RedisError as err:
        if url.password is None or not _is_about_login(err):
            raise
    return await _discovered(url, host, port, options | _login(url))


async def _discovered(url: CacheUrl, host: str, port: int, options: Options) -> tuple[str, int]:
    """Ask one only: of several, the first that is no Sentinel or refuses the command would end redis-py's search."""
    given = {**options, "retry": Retry(NoBackoff(), 0)}
    sentinel: Any = Sentinel([(host, port)], sentinel_kwargs=given)  # type: ignore[no-untyped-call]
    try:
        found, at = await sentinel.discover_master(url.primary)
        return str(found), int(at)
    finally:
        await sentinel.aclose()


async def _owner(url: CacheUrl, host: str, port: int, key: bytes, options: Options) -> tuple[str, int]:
    return await owner_of(key, host, port, options | _login(url))


def _options(url: CacheUrl, patience: float) -> Options:
    """Return redis-py's options, its CLIENT SETINFO among them: without that its sync form may take tickets of TLS for data."""
    options: Options = {"socket_timeout": patience, "socket_connect_timeout": patience, "protocol": 2}
    if url.is_tls:
        tls_context(url.authority)  # says what is wrong with the file
        options |= {"ssl": True, "ssl_ca_certs": url.authority or None}
    return options


def _login(url: CacheUrl) -> Options:
    return {} if url.password is None else {"username": url.user or "default", "password": url.password.reveal()}


def _is_about_login(error: BaseException) -> bool:
    """Return whether somebody refused the login; Sentinel's search says so in the text of another error."""
    cause = error.__cause__ or error
    return isinstance(cause, AuthenticationError) or AuthenticationError.__name__ in str(error)
