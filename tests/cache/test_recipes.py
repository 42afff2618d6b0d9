"""What one uses Redis for besides caching, where many do it at once."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import msgspec
import pytest

from pgkeel.cache import Cache, LockHeld
from pgkeel.cache import sync as plain
from pgkeel.cache.recipes import Counter, Leaderboard, Limiter, Lock, Once, Sessions
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import UsageError
from pgkeel.core.limits import AsyncLimiter, Rate
from pgkeel.core.limits import Limiter as CoreLimiter
from tests.cache.conftest import SECRET


class Login(msgspec.Struct, frozen=True):
    user: int
    weight: float = 0.0


@pytest.fixture
async def cache(valkey_db: CacheUrl) -> AsyncIterator[Cache]:
    async with Cache(valkey_db, secret=SECRET) as cache:
        yield cache


@pytest.fixture
async def other(valkey_db: CacheUrl) -> AsyncIterator[Cache]:
    async with Cache(valkey_db, secret=SECRET) as cache:
        yield cache


async def test_many_at_once_get_no_more_than_the_rate_allows(cache: Cache, other: Cache) -> None:
    limiters: list[AsyncLimiter] = [Limiter(cache), Limiter(other)]
    rate = Rate(10, timedelta(hours=1))
    waits = await asyncio.gather(*[limiter.take("login:ada", rate) for limiter in limiters for _ in range(50)])
    assert waits.count(None) == 10
    assert all(timedelta() < wait <= timedelta(minutes=6) for wait in waits if wait)
    assert await limiters[0].take("login:grace", rate) is None


async def test_attempts_come_back_one_by_one(cache: Cache) -> None:
    limiter, rate = Limiter(cache), Rate(2, timedelta(milliseconds=40))
    assert [await limiter.take("a", rate) for _ in range(2)] == [None, None]
    while (wait := await limiter.take("a", rate)) is None:  # one came back meanwhile
        continue
    await asyncio.sleep(wait.total_seconds() + 0.002)
    assert await limiter.take("a", rate) is None


async def test_counts_add_up_and_end(cache: Cache, other: Cache) -> None:
    counters = [Counter(cache, "views"), Counter(other, "views")]
    await asyncio.gather(*[counter.add("page", 2) for counter in counters for _ in range(50)])
    assert await counters[0].value("page") == 200
    assert await counters[0].value("none") == 0
    name = cache.names.things("count", "views")("page")
    assert 0 < await cache.client.call("PTTL", name) <= 86_400_000


async def test_what_is_no_number_is_neither_counted_nor_scored(cache: Cache) -> None:
    for wrong in (1.5, 1 << 63, "1"):
        with pytest.raises(UsageError, match="whole number"):
            await Counter(cache, "views").add("page", wrong)  # type: ignore[arg-type] # that is what is tried
    for points in (float("nan"), float("inf")):
        with pytest.raises(UsageError, match="no points"):
            await Leaderboard(cache, "points").add("ada", points)


async def test_the_best_come_first(cache: Cache) -> None:
    board = Leaderboard(cache, "points")
    await asyncio.gather(*[board.add(member, points) for member, points in [("a", 1), ("b", 2.5), ("c", 2), ("a", 3)]])
    assert await board.top(2) == [("a", 4.0), ("b", 2.5)]
    assert [await board.rank(member) for member in ("a", "c", "x")] == [1, 3, None]
    await board.remove("a")
    assert await board.rank("b") == 1


async def test_a_session_lives_as_long_as_it_is_used_and_ends_when_told(cache: Cache) -> None:
    sessions = Sessions(cache, Login, idle="1m")
    token = await sessions.start(Login(7))
    assert await sessions.read(token) == Login(7)
    assert token.encode() not in b" ".join(await cache.client.call("KEYS", "*"))
    assert await sessions.read(token + "x") is None
    await sessions.end(token)
    assert await sessions.read(token) is None
    with pytest.raises(UsageError):
        await sessions.start(Login(7, float("nan")))


async def test_one_holds_the_lock_and_tokens_grow(cache: Cache, other: Cache) -> None:
    inside, tokens = 0, []

    async def work(own: Cache) -> None:
        nonlocal inside
        async with Lock(own, "report") as token:
            inside += 1
            assert inside == 1
            tokens.append(token)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*[work(own) for own in (cache, other) for _ in range(5)])
    assert tokens == sorted(set(tokens))
    await cache.client.call("FLUSHDB")
    assert (await Lock(cache, "report").take() or 0) > tokens[-1]


async def test_a_lost_lock_is_not_released_or_extended_by_who_lost_it(cache: Cache, other: Cache) -> None:
    slow = Lock(cache, "report", ttl="1ms")
    await slow.take()
    await asyncio.sleep(0.01)
    quick = Lock(other, "report")
    assert await quick.take()
    assert not await slow.extend()
    assert not await slow.release()
    assert await quick.extend()
    with pytest.raises(LockHeld, match="report"):
        async with Lock(cache, "report", wait="1ms"):
            raise AssertionError
    assert await quick.release()


async def test_a_job_that_is_delivered_often_is_done_once(cache: Cache, other: Cache) -> None:
    claims = await asyncio.gather(*[Once(own, "mail").claim(42) for own in (cache, other) for _ in range(25)])
    assert claims.count(True) == 1
    await Once(cache, "mail").forget(42)
    assert await Once(other, "mail").claim(42)


def test_the_sync_forms_do_the_same_for_threads(valkey_db: CacheUrl) -> None:
    with plain.Cache(valkey_db, secret=SECRET) as cache, ThreadPoolExecutor(8) as pool:
        limiter: CoreLimiter = plain.Limiter(cache)
        waits = list(pool.map(lambda _: limiter.take("a", Rate(5, timedelta(hours=1))), range(40)))
        assert waits.count(None) == 5
        with plain.Lock(cache, "report") as token:
            assert token > 0
        assert list(pool.map(lambda _: plain.Once(cache, "job").claim(1), range(20))).count(True) == 1
