"""Stampedes, garbage, full memory, servers that are away or not to be trusted."""

import asyncio
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from pgkeel.cache import Cache, CommandRefused
from pgkeel.cache.names import marks_of
from pgkeel.cache.sync import Cache as SyncCache
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import Unreachable
from pgkeel.local import Account, Valkey, valkey
from pgkeel.local.valkey_plan import valkey_configuration
from pgkeel.testing.servers import scratch_valkey
from tests.cache.conftest import SECRET, OpenCache, Threaded, run_now, trust
from tests.cache.table import KEY, NAMES, Table, UserRow, touch, users


@pytest.fixture
def table(cache: Any) -> Table:
    return users(cache)


async def test_a_key_of_another_type_in_the_way_is_no_obstacle(table: Table, cache: Any) -> None:
    name = NAMES.rows("users")(KEY)
    await cache.client.call("RPUSH", name, "x")
    assert await table.read() == "ada"
    await cache.client.call("DEL", name)
    await cache.client.call("RPUSH", name, "x")
    async with touch(cache, table):
        table.name = "grace"
    assert await table.read() == "grace"


async def test_garbage_in_the_cache_is_not_served(table: Table, cache: Any) -> None:
    await table.read()
    name = NAMES.rows("users")(KEY)
    held = await cache.client.call("GET", name)
    for garbage in (b"", b"V", b"Vxxx", held[:-1], held[:49] + b"\xc1\xff", b"\xff" * 100):
        await cache.client.call("SET", name, garbage)
        assert await table.read() == "ada"


@pytest.mark.faults
async def test_without_a_server_reads_go_on_and_writes_are_told(open_cache: OpenCache, valkey_db: CacheUrl) -> None:
    cache = await open_cache(msgspec.structs.replace(valkey_db, port=1), trusted=False)
    table = users(cache)
    assert [await table.read() for _ in range(3)] == ["ada"] * 3
    assert cache.figures.bypasses == 3
    with pytest.raises(Unreachable):
        await touch(cache, table).mark()


@pytest.mark.faults
async def test_one_caller_asks_whether_a_silent_server_is_back_and_the_others_do_not_wait(
    open_cache: OpenCache, valkey_db: CacheUrl, colour: str
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # refuses until it listens, and never says a word then
        place = msgspec.structs.replace(valkey_db, host="127.0.0.1", port=silent.getsockname()[1])
        table = users(await open_cache(place, trusted=False, patience=timedelta(minutes=5)))

        def reading() -> "asyncio.Task[str | None]":
            return asyncio.create_task(table.read() if colour == "async" else asyncio.to_thread(run_now, table.read()))

        assert await reading() == "ada"
        silent.listen()
        while (await asyncio.wait({asking := reading()}, timeout=0.2))[0]:
            pass  # until the pause after the failure is over
        assert [await asyncio.wait_for(reading(), 60) for _ in range(5)] == ["ada"] * 5
        assert not asking.done()
    assert await asking == "ada"


@pytest.fixture
def make_valkey(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Valkey]]:
    """Starts servers that are configured in other words."""
    with ExitStack() as stack:

        def make(**words: str) -> Valkey:
            def configured(*given: Any) -> str:
                text = valkey_configuration(*given)
                for before, after in words.items():
                    text = re.sub(
                        rf"^{before.replace('_', '-')} .*$", f"{before.replace('_', '-')} {after}", text, flags=re.MULTILINE
                    )
                return text

            monkeypatch.setattr(valkey, "valkey_configuration", configured)
            return stack.enter_context(scratch_valkey(account=account))

        yield make


async def test_a_server_that_drops_marks_is_not_trusted(open_cache: OpenCache, make_valkey: Callable[..., Valkey]) -> None:
    cache = await open_cache(make_valkey(maxmemory_policy="allkeys-lru").url())
    table = users(cache)
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert (table.asked, cache.figures.bypasses) == (2, 2)
    async with touch(cache, table):
        pass
    assert cache.figures.marks == 2


@pytest.mark.faults
@pytest.mark.parametrize("policy", ["volatile-lru", "noeviction"])
async def test_a_full_memory_drops_values_and_no_mark(
    open_cache: OpenCache, make_valkey: Callable[..., Valkey], policy: str
) -> None:
    cache = await open_cache(make_valkey(maxmemory="6mb", maxmemory_policy=policy).url())
    table = users(cache)
    change = touch(cache, table)
    await change.mark()

    async def large(key: int) -> UserRow:
        return UserRow(UUID(int=key), "x" * 100_000)

    rows = cache.rows("large", UserRow, key=int)
    assert [(await rows.get(key, large)).id.int for key in range(150)] == list(range(150))
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 2
    async with cache.change(rows.row(1)):
        pass
    await change.release()
    assert (await cache.client.call("INFO", "memory")).count(b"maxmemory:6291456") == 1
    assert cache.figures.fills < 150 or policy == "volatile-lru"


@pytest.mark.faults
async def test_a_write_is_announced_where_the_memory_is_full_of_what_does_not_end(
    open_cache: OpenCache, make_valkey: Callable[..., Valkey]
) -> None:
    cache = await open_cache(make_valkey(maxmemory="6mb", maxmemory_policy="noeviction").url())
    table = users(cache)

    async def fill_up() -> None:
        for _ in range(1000):
            await cache.client.call("RPUSH", "filler", b"x" * 20_000)

    with pytest.raises(CommandRefused, match="OOM"):
        await fill_up()
    change = touch(cache, table)
    await change.mark()
    assert await cache.client.call("HLEN", marks_of(NAMES.table("users"))) == 1
    await change.release()
    assert await cache.client.call("HLEN", marks_of(NAMES.table("users"))) == 0
    crowd = [touch(cache, table) for _ in range(8)]
    waiting = [one.mark() for one in crowd]
    await asyncio.gather(*waiting)
    assert await cache.client.call("HLEN", marks_of(NAMES.table("users"))) == 8


async def test_a_stampede_asks_the_database_once(valkey_db: CacheUrl) -> None:
    async with Cache(valkey_db, secret=SECRET) as one, Cache(valkey_db, secret=SECRET) as two:
        await trust(one)
        asked: list[UUID] = []

        async def slow(key: UUID) -> UserRow:
            asked.append(key)
            await asyncio.sleep(0.01)
            return UserRow(key, "ada")

        tables = [cache.rows("users", UserRow, key=UUID) for cache in (one, two)]
        found = await asyncio.gather(*[rows.get(KEY, slow) for rows in tables for _ in range(50)])
    assert found == [UserRow(KEY, "ada")] * 100
    assert len(asked) == 1


def test_a_stampede_of_threads_asks_the_database_once(valkey_db: CacheUrl) -> None:
    class Loose(msgspec.Struct):
        payload: dict[str, int]

    with SyncCache(valkey_db, secret=SECRET) as cache, ThreadPoolExecutor(16) as pool:
        run_now(trust(Threaded(cache)))
        asked: list[int] = []
        rows = cache.rows("loose", Loose, key=int)

        def slow(key: int) -> Loose:
            asked.append(key)
            time.sleep(0.05)
            return Loose({"n": key})

        found = [row for row in pool.map(lambda _: rows.get(7, slow), range(64)) if row]
        found[0].payload["n"] = 8
    assert [one.payload["n"] for one in found[1:]] == [7] * 63
    assert asked == [7]


async def test_a_shared_read_ends_for_all_when_the_first_reader_gives_up(valkey_db: CacheUrl) -> None:
    async with Cache(valkey_db, secret=SECRET) as cache:
        await trust(cache)
        rows = cache.rows("users", UserRow, key=UUID)

        async def never(_: UUID) -> UserRow:
            await asyncio.Event().wait()
            raise AssertionError

        async def quick(key: UUID) -> UserRow:
            return UserRow(key, "ada")

        first = asyncio.create_task(rows.get(KEY, never))
        while not cache._reader._flights:
            await asyncio.sleep(0)
        second = asyncio.create_task(rows.get(KEY, quick))
        await asyncio.sleep(0.01)
        first.cancel()
        assert await second == UserRow(KEY, "ada")
