"""Rows in the memory of the process, until the server says that they have changed."""

import asyncio
import copy
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import pytest

from pgkeel.cache import Cache
from pgkeel.cache.near import Near
from pgkeel.cache.sync import Cache as SyncCache
from pgkeel.core.cache_url import CacheUrl
from pgkeel.local import Account
from pgkeel.local.alive import send
from pgkeel.testing.servers import scratch_valkey
from tests.cache.conftest import SECRET, Threaded, run_now, trust
from tests.cache.table import KEY, Table, UserRow, touch, users

T = TypeVar("T", bound=msgspec.Struct)


@pytest.fixture
async def cache(valkey_db: CacheUrl) -> AsyncIterator[Cache]:
    async with Cache(valkey_db, secret=SECRET) as cache:
        await trust(cache)
        yield cache


@pytest.fixture
async def other(valkey_db: CacheUrl) -> AsyncIterator[Cache]:
    async with Cache(valkey_db, secret=SECRET) as cache:
        yield cache


async def warm(table: Table) -> None:
    for _ in range(3):
        assert await table.read() == "ada"


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(500):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError


def kept(cache: Cache) -> Near:
    assert cache.client.link is not None
    assert cache.client.link.memory is not None
    return cache.client.link.memory


async def test_a_row_is_read_from_memory_and_the_writing_process_sees_its_write(cache: Cache) -> None:
    table = users(cache, near=True)
    await warm(table)
    assert cache.figures.near == 1
    async with touch(cache, table):
        table.name = "grace"
        assert await table.read() == "grace"
    assert [await table.read() for _ in range(3)] == ["grace"] * 3
    assert cache.figures.near == 2


class Flat(msgspec.Struct):
    id: int
    name: str | None


class Deep(msgspec.Struct):
    id: int
    names: list[Any]
    facts: dict[str, Any]


class Frozen(msgspec.Struct, frozen=True):
    id: int
    name: str


def spoil(row: Flat | Deep) -> None:
    """Change whatever can be changed, as deep as it goes."""
    if isinstance(row, Flat):
        row.name = None
        return
    for inner in (*row.names, *row.facts.values()):
        if isinstance(inner, list | dict):
            inner.clear()
    row.names.append("grace")
    row.facts.clear()


@pytest.mark.parametrize(
    "row",
    [
        Flat(1, "ada"),
        Deep(1, ["ada"], {"n": 1, "none": None}),
        Deep(1, [["ada"]], {}),
        Deep(1, [], {"n": {"m": [1, {"k": 2}]}}),
    ],
    ids=["flat", "shallow", "list", "nested"],
)
async def test_nobody_changes_what_others_read_from_memory(cache: Cache, row: Flat | Deep) -> None:
    rows = cache.rows("things", type(row), key=int, near=True)
    for _ in range(4):
        found = await rows.get(1, awaited(row))
        assert found == row
        assert found is not None
        spoil(found)
        assert found != row
    assert cache.figures.near == 2


async def test_of_a_row_that_cannot_change_there_is_one_for_all(cache: Cache) -> None:
    rows = cache.rows("things", Frozen, key=int, near=True)
    found = [await rows.get(1, awaited(Frozen(1, "ada"))) for _ in range(4)]
    assert found == [Frozen(1, "ada")] * 4
    assert cache.figures.near == 2
    assert found[2] is found[3]


def awaited(row: T) -> Callable[[object], Awaitable[T]]:
    async def load(_key: object) -> T:
        return copy.deepcopy(row)

    return load


async def test_a_write_of_another_process_empties_the_memory(cache: Cache, other: Cache) -> None:
    table = users(cache, near=True)
    await warm(table)
    async with touch(other, users(other)):
        table.name = "grace"
    await until(lambda: len(kept(cache)) == 0)
    assert await table.read() == "grace"


async def test_a_write_of_unknown_rows_and_a_flush_empty_it_too(cache: Cache, other: Cache) -> None:
    table = users(cache, near=True)
    await warm(table)
    async with other.change(users(other).rows.every_row()):
        pass
    await until(lambda: len(kept(cache)) == 0)
    await warm(table)
    await other.client.call("FLUSHDB")
    await until(lambda: len(kept(cache)) == 0)


async def test_a_lost_connection_empties_the_memory(cache: Cache) -> None:
    table = users(cache, near=True)
    await warm(table)
    await cache.client.close()
    hits = cache.figures.near
    assert await table.read() == "ada"
    assert cache.figures.near == hits


async def test_a_model_that_did_not_ask_is_not_kept(cache: Cache) -> None:
    table = users(cache)
    await warm(table)
    assert cache.figures.near == 0


@pytest.mark.faults
async def test_a_server_that_hangs_is_not_believed_for_long(account: Account) -> None:
    with scratch_valkey(account=account) as server:
        patience = timedelta(milliseconds=500)
        async with Cache(server.url(), secret=SECRET, patience=patience) as cache:
            await trust(cache)
            table = users(cache, near=True)
            await warm(table)
            assert server.pid is not None
            send(server.pid, signal.SIGSTOP)
            try:
                await asyncio.sleep(1)
                table.name = "grace"
                assert await table.read() == "grace"
            finally:
                send(server.pid, signal.SIGCONT)


def test_the_memory_is_bounded_and_the_oldest_go_first() -> None:
    near = Near(10_000)
    for number in range(100):
        near.put(b"%d" % number, b"V" + b"x" * 800, b"", (b"shared",), 60)
    assert len(near) == 4
    assert near.get(b"99", monotonic()) is not None
    assert near.get(b"0", monotonic()) is None
    near.forget([b"99"])
    assert near.get(b"99", monotonic()) is None
    near.put(b"1", b"V", b"", (b"shared",), -1)
    assert near.get(b"1", monotonic()) is None
    near.forget([b"shared"])
    assert len(near) == 0


async def test_many_rows_come_in_one_turn_and_are_all_kept(cache: Cache) -> None:
    rows = cache.rows("users", UserRow, key=UUID, near=True)

    async def load(key: UUID) -> UserRow:
        return UserRow(key, "ada")

    keys = [UUID(int=number) for number in range(300)]
    for _ in range(3):
        found = await asyncio.gather(*[rows.get(key, load) for key in keys])
        assert [row.id for row in found if row] == keys
    assert cache.figures.near == 300
    assert KEY in keys


def test_threads_read_from_memory_what_nobody_has_changed(valkey_db: CacheUrl) -> None:
    with SyncCache(valkey_db, secret=SECRET) as cache, SyncCache(valkey_db, secret=SECRET) as other:
        run_now(trust(Threaded(cache)))
        row, names = cache.rows("users", UserRow, key=UUID, near=True), ["ada"]

        def load(key: UUID) -> UserRow:
            return UserRow(key, names[-1])

        def read() -> str:
            found = row.get(KEY, load)
            assert found is not None
            return found.name

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: read(), range(200))) == {"ada"}
        assert cache.figures.near > 100
        with cache.change(row.row(KEY)):
            names.append("grace")
            assert read() == "grace"
        assert [read() for _ in range(3)] == ["grace"] * 3
        with other.change(other.rows("users", UserRow, key=UUID).row(KEY)):
            names.append("joan")
        assert "joan" in (read() for _ in range(10_000))  # as soon as the message is here
        near = cache.figures.near
        assert [read() for _ in range(3)] == ["joan"] * 3
        assert cache.figures.near >= near + 1
        other.client.call("FLUSHDB")
        assert read() == "joan"
