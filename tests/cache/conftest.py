"""Caches of both colours behind one shape: tests await, and the sync form answers at once."""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Self

import pytest

from pgkeel.cache import Cache
from pgkeel.cache.sync import Cache as SyncCache
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.secret import Secret

SECRET = Secret("the secret of the tests")
OpenCache = Callable[..., Any]


def run_now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


class Threaded:
    """The sync form behind awaitable calls; the functions given to it are written as coroutines too."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if name == "client":
            return Threaded(found)
        if name in {"rows", "change"}:
            return lambda *given, **named: Threaded(found(*given, **named))
        if name == "cached":
            return lambda **named: lambda function: _awaitable(found(**named)(_plain(function)))
        return _awaitable(found) if callable(found) and name not in {"row", "every_row"} else found

    async def __aenter__(self) -> Self:
        self.inner.__enter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self.inner.__exit__(*error)


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        return run_now(function(*given, **named))

    call.__annotations__ = function.__annotations__
    call.__qualname__ = function.__qualname__
    return call


def _awaitable(method: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*given: Any, **named: Any) -> Any:
        return method(*[_plain(one) if callable(one) else one for one in given], **named)

    return call


@pytest.fixture(params=["async", "sync"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def open_cache(valkey_db: CacheUrl, colour: str) -> AsyncIterator[OpenCache]:
    """Opens caches of the colour under test; by default nobody has to wait for the end of a first epoch."""
    async with AsyncExitStack() as stack:

        async def opened(url: CacheUrl | None = None, *, trusted: bool = True, **options: Any) -> Any:
            given = {"secret": SECRET, "mark": timedelta(minutes=1), **options}
            if colour == "sync":
                cache: Any = Threaded(stack.enter_context(SyncCache(url or valkey_db, **given)))
            else:
                cache = await stack.enter_async_context(Cache(url or valkey_db, **given))
            if trusted:
                await trust(cache)
            return cache

        yield opened


@pytest.fixture
async def cache(open_cache: OpenCache) -> Any:
    return await open_cache()


async def trust(cache: Any) -> None:
    """End the time after a flush in which nobody fills."""
    raw = await cache.client.call("GET", b"{pgkeel}:epoch")
    await cache.client.call("SET", b"{pgkeel}:epoch", raw[:17] + b"0" * 13 + raw[30:])


async def rely(cache: Any) -> None:
    """Let the columns that were declared just now be declared for long: readers rely on them."""
    cache.declared.forget()
    await cache.declared.now()
    for field, said in (await cache.client.call("HGETALL", cache.names.declarations)).items():
        await cache.client.call("HSET", cache.names.declarations, field, b"0" * 13 + said[13:])
    cache.declared.forget()
