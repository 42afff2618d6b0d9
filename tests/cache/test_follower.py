"""Writes from outside of the application, heard of by logical decoding."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from pgkeel.agent.reach import Role
from pgkeel.agent.services.follower import Follower
from pgkeel.cache import Cache
from pgkeel.cache.carried import Carried
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import ConfigError
from pgkeel.core.units import Size
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import Connection, connect
from tests.agent.conftest import working
from tests.cache.conftest import SECRET, trust

TABLES = """CREATE TABLE things (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE parts (thing integer, place bigint, name text NOT NULL, PRIMARY KEY (thing, place));
CREATE TABLE days (day date PRIMARY KEY, name text NOT NULL);
CREATE TABLE twofold (id integer, kind integer, name text NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE split (id integer PRIMARY KEY, name text NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE split_low PARTITION OF split FOR VALUES FROM (0) TO (100);
CREATE PUBLICATION pgkeel_cache FOR TABLE things (id), parts (thing, place), days (day), twofold (kind, id), split"""


class Thing(msgspec.Struct, frozen=True):
    name: str


@pytest.fixture
def decoding(make_cluster: Callable[..., Cluster], major: str) -> Cluster:
    cluster = make_cluster(major=major, settings={"wal_level": "logical", "fsync": "off"})
    cluster.start()
    return cluster


@pytest.fixture
def connection(decoding: Cluster) -> Iterator[Connection]:
    with connect(decoding.superuser_url()) as connection:
        up(connection, [PGKEEL])
        for statement in TABLES.split(";"):
            connection.execute(statement)
        yield connection


class Followed:
    """Tables that somebody writes by psql, rows of them in a cache, and the agent's service by hand."""

    def __init__(self, connection: Connection, cache: Cache, carried: Carried) -> None:
        self.connection, self.cache, self.carried = connection, cache, carried
        self.rows: dict[str, Any] = {
            "things": cache.rows("things", Thing, key=UUID),
            "parts": cache.rows("parts", Thing, key=tuple[int, int]),
            "days": cache.rows("days", Thing, key=str),
            "twofold": cache.rows("twofold", Thing, key=int),
            "split": cache.rows("split", Thing, key=int),
        }
        self.follower = Follower(lambda: carried, "pgkeel_cache")
        self.slot = self.follower.begin(connection, carried)
        self.asked = 0

    def follow(self) -> None:
        is_more = True
        while is_more:
            self.slot, is_more = self.follower.follow(self.connection, self.carried, self.slot)

    async def name(self, table: str, key: Any, where: str) -> str | None:
        async def load(_: object) -> Thing | None:
            self.asked += 1
            found = self.connection.execute(f"SELECT name FROM {table} WHERE {where}").fetchone()
            return Thing(**found) if found else None

        found = await self.rows[table].get(key, load)
        return found.name if found else None

    def write(self, text: str, *values: Any) -> None:
        self.connection.execute(text, list(values))


@pytest.fixture
async def followed(connection: Connection, valkey_db: CacheUrl) -> AsyncIterator[Followed]:
    async with Cache(valkey_db, secret=SECRET) as cache:
        carried = Carried(valkey_db, "pgkeel", SECRET, 10_000)
        found = Followed(connection, cache, carried)
        await trust(cache)
        yield found
        carried.close()


@pytest.mark.majors
async def test_writes_by_anybody_are_heard_of_and_touch_no_other_row(followed: Followed) -> None:
    one, other = uuid4(), uuid4()

    async def names() -> list[str | None]:
        return [await followed.name("things", key, f"id = '{key}'") for key in (one, other)]

    assert await names() == [None, None]
    followed.write("INSERT INTO things VALUES (%s, 'a'), (%s, 'x')", one, other)
    followed.follow()
    assert [await names(), await names()] == [["a", "x"]] * 2
    asked = followed.asked
    followed.write("UPDATE things SET name = 'b' WHERE id = %s", one)
    followed.follow()
    assert [await names(), await names()] == [["b", "x"]] * 2
    assert followed.asked == asked + 1
    moved = uuid4()
    followed.write("UPDATE things SET id = %s, name = 'c' WHERE id = %s", moved, one)
    followed.follow()
    assert await names() == [None, "x"]
    followed.write("DELETE FROM things WHERE id = %s", other)
    followed.follow()
    assert await names() == [None, None]
    await _keys_of_other_types(followed)
    await _a_slot_that_fell_behind(followed)


async def _keys_of_other_types(followed: Followed) -> None:
    """A key of two numbers names one row; of a date, or beside an `id`, all of its table; a partition is its table."""
    followed.write("INSERT INTO parts VALUES (1, 2, 'a')")
    followed.write("INSERT INTO days VALUES ('2026-01-02', 'a')")
    followed.write("INSERT INTO twofold VALUES (1, 2, 'a')")
    followed.write("INSERT INTO split VALUES (1, 'a')")
    followed.follow()
    places = (("parts", (1, 2), "thing = 1"), ("days", "2026-01-02", "true"), ("twofold", 1, "id = 1"), ("split", 1, "id = 1"))
    assert [await followed.name(*place) for place in places] == ["a"] * 4
    followed.write("UPDATE twofold SET name = 'b'")
    followed.write("UPDATE split_low SET name = 'b'")
    followed.write("UPDATE parts SET name = 'b'")
    followed.write("UPDATE days SET name = 'b'")
    followed.follow()
    assert [await followed.name(*place) for place in places] == ["b"] * 4
    followed.write("TRUNCATE parts, days, twofold, split")
    followed.follow()
    assert [await followed.name(*place) for place in places] == [None] * 4


async def _a_slot_that_fell_behind(followed: Followed) -> None:
    """It is dropped, so that no WAL is kept for it, and an epoch begins."""
    await trust(followed.cache)
    key = uuid4()
    followed.write("INSERT INTO things VALUES (%s, 'a')", key)
    followed.follow()
    before, slot = await followed.cache.client.call("GET", b"{pgkeel}:epoch"), followed.slot
    followed.follower._most_behind = Size(1)
    followed.write("UPDATE things SET name = 'b'")
    followed.slot, _ = followed.follower.follow(followed.connection, followed.carried, followed.slot)
    assert await followed.cache.client.call("GET", b"{pgkeel}:epoch") != before
    slots = followed.connection.execute("SELECT slot_name, temporary FROM pg_replication_slots ORDER BY 1").fetchall()
    assert slots == [{"slot_name": followed.slot, "temporary": True}]
    assert slot == followed.slot
    assert await followed.name("things", key, "true") == "b"


async def test_a_write_by_psql_reaches_the_cache_through_an_agent_that_runs(
    decoding: Cluster, connection: Connection, valkey_db: CacheUrl, tmp_path: Path
) -> None:
    def psql(text: str) -> None:
        command = [str(decoding.plan.runtime.program("psql")), "-Xqc", text, decoding.superuser_url().reveal()]
        subprocess.run(command, check=True, env={**os.environ, **decoding.plan.runtime.environment})

    def open_as(_: Role) -> Connection:
        return connect(decoding.superuser_url())

    async with Cache(valkey_db, secret=SECRET) as cache:
        carried = Carried(valkey_db, "pgkeel", SECRET, 10_000)
        followed = Followed(connection, cache, carried)  # begins once by hand, to read through the same functions
        key = uuid4()
        psql(f"INSERT INTO things VALUES ('{key}', 'a')")
        services = [Follower(lambda: Carried(valkey_db, "pgkeel", SECRET, 10_000), "pgkeel_cache").service]
        before = await cache.client.call("GET", b"{pgkeel}:epoch")
        with working(open_as, tmp_path, services=services):
            while await cache.client.call("GET", b"{pgkeel}:epoch") == before:  # it follows from here on
                await asyncio.sleep(0.02)
            await trust(cache)
            while followed.asked < 20 and cache.figures.hits < 2:  # what was written before is told once more
                await asyncio.sleep(0.1)
                assert await followed.name("things", key, f"id = '{key}'") == "a"
            assert cache.figures.hits >= 2
            psql(f"UPDATE things SET name = 'b' WHERE id = '{key}'")
            async with asyncio.timeout(30):
                while await followed.name("things", key, f"id = '{key}'") != "b":
                    await asyncio.sleep(0.02)
        carried.close()


def test_a_server_that_does_not_decode_and_a_publication_that_is_missing_are_told(empty_db: Url) -> None:
    with connect(empty_db) as connection, pytest.raises(ConfigError, match="wal_level"):
        Follower(lambda: None, "pgkeel_cache").begin(connection, None)  # type: ignore[arg-type,return-value]
