"""How well a cache works: by model, for a meter, for all processes, and what one read would do."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from pgkeel.cache import Cache
from pgkeel.cache.advice import benefit_of, benefits_of
from pgkeel.cache.explain import Explanation, explain
from pgkeel.cache.figures import Tally
from pgkeel.cache.keeper import stats
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.meter import Board
from tests.cache.conftest import SECRET, trust
from tests.cache.table import KEY, NAMES, UserRow, touch, users


@pytest.fixture
def said(valkey_db: CacheUrl) -> Any:
    def say(row: type | None = UserRow) -> Explanation:
        return explain(valkey_db, NAMES, "users", KEY, row=row, ttl=timedelta(minutes=5))

    return say


async def test_a_meter_shows_figures_by_model_while_the_cache_is_open(valkey_db: CacheUrl) -> None:
    board = Board()
    async with Cache(valkey_db, secret=SECRET, meter=board) as cache:
        await trust(cache)
        table = users(cache)
        for _ in range(4):
            await table.read()
        figures = board.figures()["cache"]
        assert (figures["hits"], figures["users.hits"], figures["users.misses"]) == (3, 3, 1)
        assert figures["users.hit_rate"] == 0.75
        assert 0 < figures["users.load_seconds"] < figures["users.miss_seconds"]
    assert board.figures() == {}


async def test_all_processes_add_up_to_one_hit_rate_a_model(cache: Any, open_cache: Any, valkey_db: CacheUrl) -> None:
    for one in (cache, await open_cache()):
        table = users(one)
        for _ in range(4):
            await table.read()
        await one.close()
    await asyncio.sleep(0)
    found = stats(valkey_db, "pgkeel").models["users"]
    assert found.reads == 8
    assert found.hit_rate == 7 / 8
    assert found.hit > timedelta()


def test_a_cache_that_is_slower_than_the_table_is_told_to_be() -> None:
    quick = Tally(hits=900, misses=100, hit_seconds=0.9, miss_seconds=1.0, load_seconds=0.5)
    assert benefit_of(quick).advice == ""
    assert "a hit takes longer" in benefit_of(msgspec.structs.replace(quick, hit_seconds=9.0)).advice
    assert "too few reads are hits" in benefit_of(msgspec.structs.replace(quick, hits=20, hit_seconds=0.02)).advice
    assert "misses cost more" in benefit_of(msgspec.structs.replace(quick, hits=100, hit_seconds=0.4)).advice
    assert benefit_of(Tally(misses=3, miss_seconds=3, load_seconds=1)).advice == ""
    assert benefits_of({"hits:posts": 3, "other:posts": 1, "near": 2})["posts"].hit_rate == 1.0


async def test_a_hit_is_explained_with_its_age_and_a_flush_with_its_wait(cache: Any, said: Any) -> None:
    assert said().why == "nobody has read it yet, or it has ended"
    await users(cache).read()
    found = said()
    assert (found.is_hit, found.holds, found.shape) == (True, "value", found.expected)
    assert found.generation == found.filled_under != ""
    assert timedelta() <= found.age <= timedelta(minutes=1)
    await cache.flush()
    assert said().why == "the epoch has changed since it was filled"
    await cache.client.call("FLUSHDB")
    assert "there is no epoch" in said().why


async def test_every_reason_of_a_miss_has_its_words(cache: Any, said: Any) -> None:
    class Wider(msgspec.Struct):
        id: UUID
        age: int = 0

    table = users(cache)
    await table.read()
    assert "the model has changed" in said(Wider).why
    assert said(None).is_hit
    async with cache.change(table.rows.every_row()):
        assert "a write is under way" in said().why
        assert len(said().marks) == 1
    assert said().why == "the table's generation has changed since it was filled"
    change = touch(cache, table)
    await change.mark()
    assert (said().holds, said().is_hit, said().marks) == ("nothing", False, (timedelta(seconds=10),))
    assert "a write is under way" in said().why
    await table.read()
    assert timedelta(seconds=10) < said().marks[0] <= timedelta(minutes=1)
    await change.release()
    assert (said().holds, said().marks) == ("nothing", ())
    await cache.client.call("SET", NAMES.rows("users")(KEY), b"x")
    assert "not ours" in said().why
