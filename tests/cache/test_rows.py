import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from pgkeel.cache import Cache, tag
from pgkeel.cache._async.client import Client
from pgkeel.cache.entry import fresh
from pgkeel.cache.names import marks_of
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError, UsageError
from pgkeel.core.secret import Secret
from tests.cache.conftest import OpenCache, trust
from tests.cache.table import KEY, NAMES, Table, UserRow, touch, users


@pytest.fixture
def table(cache: Any) -> Table:
    return users(cache)


async def test_reading_a_row_twice_asks_the_database_once(table: Table, cache: Any) -> None:
    assert [await table.read() for _ in range(3)] == ["ada"] * 3
    assert table.asked == 1
    assert (cache.figures.hits, cache.figures.misses, cache.figures.fills) == (2, 1, 1)


async def test_that_there_is_no_row_is_remembered(table: Table) -> None:
    table.name = None
    assert [await table.read() for _ in range(3)] == [None] * 3
    assert table.asked == 1


async def test_rows_that_are_filled_together_do_not_end_together(cache: Any) -> None:
    rows = cache.rows("users", UserRow, key=UUID, ttl="1h")

    async def load(key: UUID) -> UserRow:
        return UserRow(key, "ada")

    keys = [uuid4() for _ in range(20)]
    for key in keys:
        await rows.get(key, load)
    left = [await cache.client.call("PTTL", cache.names.rows("users")(key)) for key in keys]
    assert all(3_100_000 < milliseconds <= 3_600_000 for milliseconds in left)
    assert max(left) - min(left) > 60_000


async def test_a_write_is_seen_by_the_next_read(table: Table, cache: Any) -> None:
    await table.read()
    async with touch(cache, table):
        table.name = "grace"
    assert [await table.read() for _ in range(2)] == ["grace"] * 2
    assert table.asked == 2


async def test_nobody_fills_while_a_write_is_under_way(table: Table, cache: Any) -> None:
    change = touch(cache, table)
    await change.mark()
    assert [await table.read() for _ in range(3)] == ["ada"] * 3
    assert table.asked == 3
    await change.release()
    assert [await table.read() for _ in range(3)] == ["ada"] * 3
    assert table.asked == 4


async def test_a_change_that_is_used_again_leaves_versions_that_were_never_there(table: Table, cache: Any) -> None:
    change, seen = touch(cache, table), []
    for is_lost in (False, True, False, True):
        await change.mark()
        seen.append(await cache.client.call("GET", cache.names.table("users")))
        if is_lost:
            await cache.client.call("DEL", marks_of(cache.names.table("users")))
            await change.release()
            seen.append(await cache.client.call("GET", cache.names.table("users")))
        else:
            await change.release()
    assert len(set(seen)) == len(seen)
    assert None not in seen


async def test_a_read_that_a_write_overtook_is_not_kept(table: Table, cache: Any, open_cache: OpenCache) -> None:
    writer = getattr((await open_cache()), "inner", None) or cache

    async def slow(key: UUID) -> UserRow:
        change = writer.change(table.rows.row(KEY))
        for step in (change.mark, change.release):
            waiting = step()
            if waiting is not None:
                await waiting
        return UserRow(key, "old")

    assert await table.rows.get(KEY, slow) == UserRow(KEY, "old")
    assert await table.read() == "ada"


BUSY = "local sum = 0 for n = 1, 4000000 do sum = sum + n end return 1"


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("then", [("PING",), ("SET", marks_of(NAMES.table("users")), "not ours")])
async def test_a_value_that_slipped_in_after_the_mark_was_lost_dies(
    table: Table, cache: Any, valkey_db: CacheUrl, then: tuple[object, ...], *, is_late: bool
) -> None:
    change = touch(cache, table)
    await change.mark()
    await cache.client.call("DEL", marks_of(NAMES.table("users")))
    assert await table.read() == "ada"
    table.name = "grace"
    assert await table.read() == "ada"
    await cache.client.call(*then)
    if is_late:
        other = Client(valkey_db, patience=10)
        await other.open()
        busy = asyncio.create_task(other.call("EVAL", BUSY, 0))
        await asyncio.sleep(0.02)  # it is at work
        await change.release()
        assert await busy == 1
        await other.close()
    else:
        await change.release()
    assert await table.read() == "grace"


async def test_two_writers_do_not_clear_each_others_mark(table: Table, cache: Any) -> None:
    first, second = touch(cache, table), touch(cache, table)
    await first.mark()
    await second.mark()
    await second.release()
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 2
    await first.release()
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 3


async def test_the_mark_of_a_dead_writer_ends_by_itself_some_time_after_a_reader_met_it(open_cache: OpenCache) -> None:
    cache = await open_cache(mark=timedelta(milliseconds=1))
    table = users(cache)
    await touch(cache, table).mark()
    await asyncio.sleep(0.01)
    assert await table.read() == "ada"
    await asyncio.sleep(0.01)
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 2
    assert await cache.client.call("EXISTS", marks_of(NAMES.table("users"))) == 0


async def test_a_write_of_one_row_keeps_nobody_from_filling_another(table: Table, cache: Any) -> None:
    change = cache.change(table.rows.row(uuid4()))
    await change.mark()
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 1


async def test_a_foreign_key_in_the_way_does_not_keep_a_write_from_its_mark(table: Table, cache: Any) -> None:
    await table.read()
    await cache.client.call("SET", marks_of(NAMES.table("users")), "not ours")
    change = touch(cache, table)
    await change.mark()
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 3
    await cache.client.call("SET", marks_of(NAMES.table("users")), "not ours")
    await change.release()
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 4


async def test_a_mark_has_no_time_to_live_so_that_a_full_memory_does_not_drop_it(table: Table, cache: Any) -> None:
    await touch(cache, table).mark()
    name = marks_of(NAMES.table("users"))
    assert await cache.client.call("PTTL", name) == -1
    assert await cache.client.call("HVALS", name) == [b"-" + NAMES.rows("users")(KEY)[-16:]]
    await table.read()
    assert await cache.client.call("PTTL", name) == -1


async def test_an_error_in_the_block_leaves_the_mark(table: Table, cache: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        async with touch(cache, table):
            _ = 1 / 0
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 2


async def test_after_a_flush_nobody_fills_until_writes_under_way_are_over(table: Table, cache: Any) -> None:
    await table.read()
    await cache.client.call("FLUSHALL")
    assert [await table.read() for _ in range(3)] == ["ada"] * 3
    assert table.asked == 4
    await trust(cache)
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 5


async def test_flush_lets_nothing_old_be_served(table: Table, cache: Any) -> None:
    await table.read()
    await cache.flush()
    await trust(cache)
    table.name = "grace"
    assert await table.read() == "grace"


async def test_a_server_that_was_started_anew_with_old_keys_serves_none_of_them(table: Table, cache: Any) -> None:
    await table.read()
    raw = await cache.client.call("GET", NAMES.epoch)
    await cache.client.call("SET", NAMES.epoch, raw[:30] + b"of another run")
    await cache.client.close()
    table.name = "grace"
    assert await table.read() == "grace"
    await trust(cache)
    assert await table.read() == "grace"


async def test_a_first_start_is_like_a_flush(open_cache: OpenCache) -> None:
    table = users(await open_cache(trusted=False))
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 2


async def test_a_changed_struct_misses_and_never_misreads(table: Table, cache: Any) -> None:
    class Wider(msgspec.Struct, frozen=True):
        id: UUID
        name: str
        age: int = 0

    await table.read()
    wider = cache.rows("users", Wider, key=UUID)

    async def load(key: UUID) -> Wider:
        return Wider(key, "ada", 36)

    assert await wider.get(KEY, load) == Wider(KEY, "ada", 36)
    assert await table.read() == "ada"


async def test_every_type_of_a_row_comes_back_as_it_was(cache: Any) -> None:
    class Everything(msgspec.Struct, frozen=True):
        id: UUID
        at: datetime
        amount: Decimal
        payload: dict[str, Any]
        raw: bytes
        nothing: str | None

    row = Everything(KEY, datetime(2026, 1, 1, 12, 30, 0, 5, UTC), Decimal("12.3400"), {"a": [1, 2.5, None]}, b"\xff\x00", None)
    rows = cache.rows("everything", Everything, key=UUID)
    asked: list[UUID] = []

    async def load(key: UUID) -> Everything:
        asked.append(key)
        return row

    read = [await rows.get(KEY, load) for _ in range(2)]
    assert read == [row, row]
    assert str(read[1].amount) == "12.3400"
    assert len(asked) == 1


async def test_a_value_that_would_not_come_back_as_it_is_is_not_kept(cache: Any) -> None:
    class Loose(msgspec.Struct, frozen=True):
        payload: Any

    rows = cache.rows("loose", Loose, key=int)
    for payload in (float("nan"), {"id": uuid4()}, 2**70):
        asked: list[int] = []

        async def load(key: int, payload: Any = payload, asked: list[int] = asked) -> Loose:
            asked.append(key)
            return Loose(payload)

        assert [(await rows.get(1, load)).payload is payload for _ in range(2)] == [True, True]
        assert asked == [1, 1]


async def test_a_key_and_its_text_are_one_row_and_others_are_refused(table: Table, cache: Any) -> None:
    await table.read()
    async with cache.change(table.rows.row(str(KEY).upper())):
        table.name = "grace"
    assert await table.read() == "grace"
    with pytest.raises(UsageError, match="not a key"):
        await table.rows.get("no uuid", table.load)


async def test_a_write_of_unknown_rows_forgets_all_of_the_table(table: Table, cache: Any) -> None:
    await table.read()
    async with cache.change(table.rows.every_row()):
        table.name = "grace"
        assert await table.read() == "grace"
    assert await table.read() == "grace"


async def test_a_failed_load_is_raised_and_the_next_read_fills(table: Table) -> None:
    async def broken(_: UUID) -> UserRow:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await table.rows.get(KEY, broken)
    assert [await table.read() for _ in range(2)] == ["ada"] * 2
    assert table.asked == 1


async def test_no_key_and_no_tag_can_be_read_in_the_cache(table: Table, cache: Any) -> None:
    await table.read()
    async with cache.change(tag("users", email="ada@example.org")):
        pass
    names = b" ".join(await cache.client.call("KEYS", "*"))
    assert str(KEY).encode() not in names
    assert b"ada@example.org" not in names
    assert b"users" not in names


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ConfigError, match="secret"):
        Cache("redis://127.0.0.1:1", secret=Secret("short"))


def test_who_asks_has_sixteen_letters_of_its_own() -> None:
    assert len({fresh() for _ in range(1000)}) == 1000
    assert {len(fresh()) for _ in range(10)} == {16}
