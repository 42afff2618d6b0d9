"""Old values by declaration: for others, while somebody reads or writes; never what this process has written."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from pgkeel.cache import Cache, tag
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError
from tests.cache.conftest import SECRET, OpenCache, trust
from tests.cache.table import KEY, UserRow, touch, users


@pytest.fixture
async def other(open_cache: OpenCache) -> Any:
    return await open_cache()


async def test_others_get_the_row_before_while_a_write_is_under_way(cache: Any, other: Any) -> None:
    table, writer = users(cache, stale="1m"), users(other)
    await table.read()
    change = touch(other, writer)
    await change.mark()
    table.name = "grace"
    asked = table.asked
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert (table.asked, cache.figures.stale) == (asked, 2)
    await change.release()
    assert [await table.read() for _ in range(2)] == ["grace"] * 2


async def test_what_the_process_has_written_itself_is_never_old(cache: Any) -> None:
    table = users(cache, stale="1m")
    await table.read()
    async with touch(cache, table):
        table.name = "grace"
        assert await table.read() == "grace"
    assert await table.read() == "grace"
    await table.read()
    async with cache.change(table.rows.every_row()):
        table.name = "joan"
        assert await table.read() == "joan"
    assert cache.figures.stale == 0


async def test_nothing_old_outlives_a_flush(cache: Any, other: Any) -> None:
    table = users(cache, stale="1m")
    await table.read()
    await other.flush()
    table.name = "grace"
    assert [await table.read() for _ in range(2)] == ["grace"] * 2
    await trust(cache)
    await touch(other, users(other)).mark()
    assert await table.read() == "grace"


async def test_an_old_row_ends_by_itself(cache: Any, other: Any) -> None:
    table = users(cache, stale="1ms")
    await table.read()
    await touch(other, users(other)).mark()
    table.name = "grace"
    await asyncio.sleep(0.01)
    assert await table.read() == "grace"


async def test_a_row_that_did_not_ask_is_never_old(cache: Any, other: Any) -> None:
    table = users(cache)
    await table.read()
    await touch(other, users(other)).mark()
    table.name = "grace"
    assert await table.read() == "grace"


@pytest.fixture
async def two(valkey_db: CacheUrl) -> AsyncIterator[tuple[Cache, Cache]]:
    async with Cache(valkey_db, secret=SECRET) as one, Cache(valkey_db, secret=SECRET) as other:
        await trust(one)
        yield one, other


async def test_a_result_is_made_anew_by_one_caller_while_others_get_the_one_before(two: tuple[Cache, Cache]) -> None:
    cache, writer = two
    asked, gate, number = asyncio.Event(), asyncio.Event(), 1

    @cache.cached(tags=lambda user: [tag("posts", user_id=user)], stale="1m")
    async def posts(user: int) -> list[int]:
        asked.set()
        await gate.wait()
        return [user, number]

    gate.set()
    assert await posts(7) == [7, 1]
    async with writer.change(tag("posts", user_id=7)):
        number = 2
    asked.clear()
    gate.clear()
    first: Any = asyncio.ensure_future(posts(7))
    await asked.wait()
    assert await posts(7) == [7, 1]
    gate.set()
    assert await first == [7, 2]
    assert await posts(7) == [7, 2]


async def test_that_there_was_no_row_may_be_old_too_and_garbage_is_not_served(cache: Any, other: Any) -> None:
    table = users(cache, stale="1m")
    table.name = None
    assert await table.read() is None
    await touch(other, users(other)).mark()
    table.name = "ada"
    assert await table.read() is None
    [copy] = await cache.client.call("KEYS", "*~")
    held = await cache.client.call("GET", copy)
    for garbage in (b"", held[:-1], held[:16] + b"V" + held[17:] + b"\xff"):
        await cache.client.call("SET", copy, garbage)
        assert await table.read() == "ada"
    assert UserRow(KEY, "ada").id == UUID(int=7)


def test_a_time_that_is_none_is_refused(valkey_db: CacheUrl) -> None:
    with pytest.raises(ConfigError):
        Cache(valkey_db, secret=SECRET).rows("users", UserRow, key=UUID, stale="0s")
