"""Columns that processes declare differently: whoever relies on one is told by everybody who writes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from inspect import isawaitable
from typing import Any

import msgspec
import pytest
import sqlalchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgkeel import access
from pgkeel.cache import Cache
from pgkeel.cache._async.declared import Heard
from pgkeel.cache.keeper import flush
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect
from pgkeel.schema.caching import Row
from tests.cache.conftest import SECRET, OpenCache, rely, trust

Database: Any = access.Database
MARK = timedelta(milliseconds=400)


def model_of(*columns: str) -> Any:
    class Base(DeclarativeBase):
        pass

    class Note(Base):
        __tablename__ = "declared_notes"
        cache = Row(tags=columns)
        id: Mapped[int] = mapped_column(sqlalchemy.BigInteger, sqlalchemy.Identity(), primary_key=True)
        owner: Mapped[str]
        title: Mapped[str]

    return Note


OLDER, NEWER = model_of("owner"), model_of("owner", "title")


class Program:
    """One of two: its handle, its cache, and how it counts."""

    def __init__(self, db: Any, cache: Cache, model: Any) -> None:
        self.db, self.cache, self.model, self.asked = db, cache, model, 0
        self.notes = db.repository(model)

    def by(self, column: str) -> Callable[[str], Any]:
        @self.cache.cached(tags=lambda value: [self.db.tag(self.model, **{column: value})], name=f"{column} here")
        async def count(value: str) -> int:
            self.asked += 1
            return int(await self.notes.count(getattr(self.model, column) == value))

        return count


@pytest.fixture(scope="module")
def place(cluster_of: Callable[[str], Cluster]) -> Iterator[Url]:
    cluster = cluster_of("17")
    cluster.create_database("declared")
    url = cluster.superuser_url("declared")
    with connect(url) as connection:
        up(connection, [PGKEEL])
        connection.execute("CREATE TABLE declared_notes (id bigserial PRIMARY KEY, owner text NOT NULL, title text NOT NULL)")
    yield url
    cluster.drop_database("declared")


@pytest.fixture
async def programs(place: Url, valkey_db: CacheUrl) -> AsyncIterator[tuple[Program, Program]]:
    """An older program, and a newer one that everybody has heard of."""
    async with (
        Cache(valkey_db, secret=SECRET) as one,
        Cache(valkey_db, secret=SECRET) as two,
        Database(place, cache=one) as older,
        Database(place, cache=two) as newer,
    ):
        both = Program(older, one, OLDER), Program(newer, two, NEWER)
        await older.sql("TRUNCATE declared_notes", writes=["declared_notes"])
        for program in both:
            await begun(program)
            await rely(program.cache)
        yield both


async def begun(program: Program) -> None:
    """Be in the epoch of the database, and no longer at its begin."""
    await program.notes.get(0)
    await trust(program.cache)


def heard(cache: Any) -> Any:
    async def now() -> Heard:
        found: Any = cache.declared.now()
        return msgspec.convert(await found if isawaitable(found) else found, Heard, from_attributes=True)

    return now()


async def test_a_column_is_relied_on_when_it_was_declared_two_marks_ago(open_cache: OpenCache) -> None:
    one, two = await open_cache(mark=MARK), await open_cache(mark=MARK)
    one.declared.declare("notes", ["owner"])
    first = await heard(one)
    assert first.relied == {}
    assert first.agreed == {"notes"}
    while not (found := await heard(one)).relied:
        await asyncio.sleep(0.02)
    assert found.relied == {"notes": {"owner"}}
    two.declared.declare("notes", ["owner", "title"])
    assert (await heard(two)).relied == {"notes": {"owner"}}
    assert (await heard(two)).agreed == {"notes"}
    while (await heard(one)).agreed:
        await asyncio.sleep(0.02)


async def test_a_program_that_declares_less_touches_all_values_and_one_that_declares_as_much_does_not(
    programs: tuple[Program, Program],
) -> None:
    older, newer = programs
    owned, titled = older.by("owner"), newer.by("title")
    assert [await titled("x"), await titled("y"), await owned("ada")] == [0, 0, 0]
    await older.notes.insert(owner="ada", title="x")
    assert [await titled("x"), await titled("y"), await owned("ada")] == [1, 0, 1]
    assert (older.asked, newer.asked) == (2, 4)
    await newer.notes.insert(owner="ada", title="x")
    assert [await titled("x"), await titled("y"), await owned("ada")] == [2, 0, 2]
    assert (older.asked, newer.asked) == (3, 5)


async def test_without_hearing_of_others_a_result_would_be_stale(
    programs: tuple[Program, Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = programs
    titled = newer.by("title")
    assert await titled("x") == 0

    async def now() -> Heard:
        return Heard(agreed=frozenset({"declared_notes"}))

    monkeypatch.setattr(older.cache.declared, "now", now)
    await older.notes.insert(owner="ada", title="x")
    assert await titled("x") == 0


@pytest.mark.parametrize("how", ["FLUSHALL", "flush", "cache flush"])
async def test_after_a_flush_nothing_is_kept_that_relies_on_what_is_not_declared_again(
    programs: tuple[Program, Program], valkey_db: CacheUrl, how: str
) -> None:
    older, newer = programs
    titled = newer.by("title")
    assert await titled("x") == 0
    if how == "FLUSHALL":
        await newer.cache.client.call("FLUSHDB")
        await newer.cache._reader.begin_epoch()
    elif how == "flush":
        await newer.cache.flush()
    else:
        await asyncio.to_thread(flush, valkey_db, "pgkeel", 1)
    await trust(newer.cache)
    older.cache.declared.forget()
    assert await titled("x") == 0  # is not kept: the program does not know of the epoch yet
    await older.notes.insert(owner="ada", title="x")
    assert await titled("x") == 1
    assert newer.cache.declared.heard.relied.get("declared_notes", set()) == (set() if how == "FLUSHALL" else {"owner", "title"})
    assert await newer.cache.client.call("HLEN", newer.cache.names.declarations) == 2


async def test_what_was_kept_before_a_declaration_ended_dies_when_it_begins_again(programs: tuple[Program, Program]) -> None:
    older, newer = programs
    titled, names = newer.by("title"), newer.cache.names
    assert await titled("x") == 0
    await newer.cache.client.call("HSET", names.declarations, names.declared("declared_notes", "title"), b"0" * 26)
    older.cache.declared.forget()
    await older.notes.insert(owner="ada", title="x")
    assert "declared_notes" in older.cache.declared.heard.agreed
    await rely(newer.cache)
    assert await titled("x") == 1


async def test_a_write_that_took_longer_than_a_mark_touches_all_values_at_its_end(place: Url, valkey_db: CacheUrl) -> None:
    async with (
        Cache(valkey_db, secret=SECRET, mark=MARK) as one,
        Cache(valkey_db, secret=SECRET) as two,
        Database(place, cache=one) as older,
        Database(place, cache=two) as newer,
    ):
        writer, reader = Program(older, one, OLDER), Program(newer, two, NEWER)
        await begun(writer)
        await begun(reader)
        with connect(place) as blocker:
            blocker.execute("BEGIN")
            blocker.execute("LOCK TABLE declared_notes IN SHARE MODE")
            writing = asyncio.create_task(writer.notes.insert(owner="ada", title="late"))
            while not blocker.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                await asyncio.sleep(0.02)
            await rely(two)
            titled = reader.by("title")
            assert [await titled("late"), await titled("late"), reader.asked] == [0, 0, 1]
            await asyncio.sleep(MARK.total_seconds())
            blocker.execute("COMMIT")
        await writing
        assert await titled("late") == 1


async def test_where_the_cache_does_not_answer_nothing_is_relied_on_and_a_key_of_another_kind_goes(open_cache: OpenCache) -> None:
    cache = await open_cache()
    cache.declared.declare("notes", ["owner"])
    await cache.client.call("SET", cache.names.declarations, "of another kind")
    assert (await heard(cache)).agreed == {"notes"}
    away = await open_cache(CacheUrl.parse("redis://127.0.0.1:1"), trusted=False)
    away.declared.declare("notes", ["owner"])
    found = await heard(away)
    assert found.relied == {}
    assert found.agreed == set()
