"""Writes from outside of the application, carried over to the cache by the agent."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest

from pgkeel.agent.services.carrier import Carrier
from pgkeel.cache import Cache
from pgkeel.cache.carried import Carried
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.url import Url
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import Connection, connect
from tests.cache.conftest import SECRET, trust


class Thing(msgspec.Struct, frozen=True):
    id: UUID
    name: str


@pytest.fixture
def connection(empty_db: Url) -> Connection:
    connection = connect(empty_db)
    up(connection, [PGKEEL])
    connection.execute("CREATE TABLE things (id uuid PRIMARY KEY, name text NOT NULL)")
    return connection


@pytest.fixture
async def outside(connection: Connection, valkey_db: CacheUrl) -> AsyncIterator["Outside"]:
    async with Cache(valkey_db, secret=SECRET) as cache:
        outside = Outside(connection, cache, Carried(valkey_db, "pgkeel", SECRET, 10_000))
        outside.carry()
        await trust(cache)
        yield outside
    outside.carried.close()
    connection.close()


class Outside:
    """A table that somebody writes by psql, rows of it in a cache, and the agent's service by hand."""

    def __init__(self, connection: Connection, cache: Cache, carried: Carried) -> None:
        self.connection, self.cache, self.carried = connection, cache, carried
        self.rows = cache.rows("things", Thing, key=UUID)
        self.carrier = Carrier(lambda: carried)
        self.asked = 0

    def carry(self) -> None:
        self.carrier.carry(self.connection, self.carried)

    async def load(self, key: UUID) -> Thing | None:
        self.asked += 1
        found = self.connection.execute("SELECT id, name FROM things WHERE id = %s", [key]).fetchone()
        return Thing(**found) if found else None

    async def name(self, key: UUID) -> str | None:
        found = await self.rows.get(key, self.load)
        return found.name if found else None

    def write(self, text: str, *values: Any) -> None:
        self.connection.execute(text, list(values))


async def test_a_watched_table_tells_of_writes_by_anybody(outside: Outside) -> None:
    outside.write("SELECT pgkeel.cache_watch('things')")
    one, other = uuid4(), uuid4()
    assert [await outside.name(one) for _ in range(2)] == [None, None]
    outside.write("INSERT INTO things VALUES (%s, 'a'), (%s, 'x')", one, other)
    outside.carry()
    assert [await outside.name(key) for key in (one, other, one, other)] == ["a", "x", "a", "x"]
    asked = outside.asked
    outside.write("UPDATE things SET name = 'b' WHERE id = %s", one)
    outside.carry()
    assert [await outside.name(key) for key in (one, other, one, other)] == ["b", "x", "b", "x"]
    assert outside.asked == asked + 1
    outside.write("DELETE FROM things WHERE id = %s", one)
    outside.carry()
    assert await outside.name(one) is None
    outside.write("TRUNCATE things")
    outside.carry()
    assert await outside.name(other) is None


async def test_a_row_that_gets_another_key_is_known_by_both(outside: Outside) -> None:
    outside.write("SELECT pgkeel.cache_watch('things')")
    old, new = uuid4(), uuid4()
    outside.write("INSERT INTO things VALUES (%s, 'a')", old)
    outside.carry()
    assert [await outside.name(key) for key in (old, new, old, new)] == ["a", None, "a", None]
    outside.write("UPDATE things SET id = %s WHERE id = %s", new, old)
    outside.carry()
    assert [await outside.name(key) for key in (old, new)] == [None, "a"]


async def test_a_statement_of_very_many_rows_makes_the_whole_table_unknown(outside: Outside) -> None:
    outside.write("SELECT pgkeel.cache_watch('things')")
    outside.write("INSERT INTO things SELECT gen_random_uuid(), 'a' FROM generate_series(1, 600)")
    found = outside.connection.execute("SELECT keys FROM pgkeel.cache_outbox WHERE relation = 'things'").fetchall()
    assert [row["keys"] for row in found] == [None]
    outside.write("SELECT pgkeel.cache_unwatch('things')")
    outside.write("DELETE FROM things")
    assert len(outside.connection.execute("SELECT FROM pgkeel.cache_outbox WHERE relation = 'things'").fetchall()) == 1
    left = outside.connection.execute(
        "SELECT proname FROM pg_proc WHERE proname LIKE 'cache_note_%%' ORDER BY proname", []
    ).fetchall()
    assert [row["proname"] for row in left] == ["cache_note_name"]


async def test_what_a_rolled_back_drain_took_comes_back(outside: Outside) -> None:
    outside.write("SELECT pgkeel.cache_watch('things')")
    key = uuid4()
    assert await outside.name(key) is None
    outside.write("INSERT INTO things VALUES (%s, 'a')", key)
    with outside.connection.transaction(force_rollback=True):
        assert outside.connection.execute("SELECT * FROM pgkeel.cache_drain()").fetchall()
    outside.carry()
    assert await outside.name(key) == "a"


async def test_a_counted_up_generation_is_carried_over_once(outside: Outside) -> None:
    key = uuid4()
    outside.write("INSERT INTO things VALUES (%s, 'a')", key)
    assert [await outside.name(key) for _ in range(2)] == ["a", "a"]
    with outside.connection.transaction():
        outside.write("UPDATE things SET name = 'b'")
        outside.write("SELECT pgkeel.cache_bump('things')")
    outside.carry()
    asked = outside.asked
    assert [await outside.name(key) for _ in range(2)] == ["b", "b"]
    outside.carry()
    assert await outside.name(key) == "b"
    assert outside.asked == asked + 1


async def test_a_migration_makes_everything_unknown(outside: Outside) -> None:
    key = uuid4()
    outside.write("INSERT INTO things VALUES (%s, 'a')", key)
    await outside.name(key)
    with outside.connection.transaction():
        outside.write("UPDATE things SET name = 'b'")
        outside.write("UPDATE pgkeel.migrations SET tool_version = tool_version")
    outside.carry()
    assert await outside.name(key) == "b"


async def test_an_outbox_that_a_crash_emptied_begins_an_epoch(outside: Outside) -> None:
    before = outside.connection.execute("SELECT pgkeel.cache_epoch() AS epoch").fetchone()
    outside.write("TRUNCATE pgkeel.cache_outbox")
    outside.carry()
    after = outside.connection.execute("SELECT pgkeel.cache_epoch() AS epoch").fetchone()
    assert before != after
    assert str(after["epoch"]).encode() in await outside.cache.client.call("GET", b"{pgkeel}:epoch")  # type: ignore[index]


async def test_another_timeline_begins_an_epoch_and_an_older_view_does_not(outside: Outside) -> None:
    outside.carried.begin("1:00000002:7")
    raw = await outside.cache.client.call("GET", b"{pgkeel}:epoch")
    outside.carried.begin("1:00000001:9")
    outside.carried.begin("1:00000002:6")
    assert await outside.cache.client.call("GET", b"{pgkeel}:epoch") == raw
    outside.carried.begin("1:00000002:8")
    assert await outside.cache.client.call("GET", b"{pgkeel}:epoch") != raw


async def test_a_table_without_a_primary_key_is_not_watched(outside: Outside) -> None:
    outside.write("CREATE TABLE heap (n integer)")
    with pytest.raises(psycopg.errors.InvalidTableDefinition, match="primary key"):
        outside.write("SELECT pgkeel.cache_watch('heap')")


@pytest.mark.parametrize("key", ["id, kind", "kind, id", "kind"])
async def test_rows_that_are_known_by_an_id_that_is_not_the_primary_key_are_forgotten(outside: Outside, key: str) -> None:
    outside.write("DROP TABLE things")
    outside.write(f"CREATE TABLE things (id uuid NOT NULL, kind text, name text NOT NULL, PRIMARY KEY ({key}))")
    outside.write("SELECT pgkeel.cache_watch('things')")
    one = uuid4()
    outside.write("INSERT INTO things VALUES (%s, 'k', 'a')", one)
    outside.carry()
    assert [await outside.name(one) for _ in range(2)] == ["a"] * 2
    outside.write("UPDATE things SET name = 'b' WHERE id = %s", one)
    outside.carry()
    assert await outside.name(one) == "b"


async def test_a_model_that_names_the_schema_public_is_meant_by_the_bare_name(outside: Outside) -> None:
    outside.rows = outside.cache.rows("public.things", Thing, key=UUID)
    outside.write("SELECT pgkeel.cache_watch('things')")
    one = uuid4()
    for name in "ab":
        outside.write("INSERT INTO things VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name", one, name)
        outside.carry()
        assert [await outside.name(one) for _ in range(2)] == [name] * 2
    outside.write("SELECT pgkeel.cache_unwatch('things')")
    outside.write("UPDATE things SET name = 'c'")
    outside.write("SELECT pgkeel.cache_bump('things')")
    outside.carry()
    assert await outside.name(one) == "c"


@pytest.mark.parametrize("watched", ["things", "things_1"])
async def test_a_write_of_a_watched_table_of_partitions_is_known_whichever_is_named(outside: Outside, watched: str) -> None:
    outside.write("DROP TABLE things")
    outside.write("CREATE TABLE things (id uuid, kind text, name text NOT NULL, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind)")
    outside.write("CREATE TABLE things_1 PARTITION OF things FOR VALUES IN ('1')")
    outside.write(f"SELECT pgkeel.cache_watch('{watched}')")
    outside.write("CREATE TABLE things_2 PARTITION OF things FOR VALUES IN ('2')")
    one = uuid4()
    for written, name in (
        ("INSERT INTO things_1 VALUES ('{}', '1', 'a')", "a"),
        ("UPDATE things_1 SET name = 'b'", "b"),
        ("UPDATE things SET name = 'c'", "c"),
        ("UPDATE things SET kind = '2', name = 'd'", "d"),
        ("UPDATE things_2 SET name = 'e'", "e"),
        ("DELETE FROM things_2", None),
        ("INSERT INTO things VALUES ('{}', '1', 'f')", "f"),
        ("TRUNCATE things_1", None),
    ):
        outside.write(written.format(one))
        outside.carry()
        assert [await outside.name(one) for _ in range(2)] == [name] * 2, written


async def test_a_table_of_partitions_that_is_watched_no_longer_keeps_no_trigger(outside: Outside) -> None:
    outside.write("CREATE TABLE parted (id uuid PRIMARY KEY) PARTITION BY HASH (id)")
    outside.write("CREATE TABLE parted_all PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
    for _ in range(2):
        outside.write("SELECT pgkeel.cache_watch('parted')")
    outside.write("SELECT pgkeel.cache_unwatch('parted_all')")
    left = outside.connection.execute("SELECT tgname FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'parted%'").fetchall()
    assert left == []


async def test_a_watched_partition_is_its_table(outside: Outside) -> None:
    outside.write("DROP TABLE things")
    outside.write("CREATE TABLE things (id uuid PRIMARY KEY, name text NOT NULL) PARTITION BY HASH (id)")
    outside.write("CREATE TABLE things_all PARTITION OF things FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
    outside.write("SELECT pgkeel.cache_watch('things_all')")
    one = uuid4()
    outside.write("INSERT INTO things_all VALUES (%s, 'a')", one)
    outside.carry()
    assert [await outside.name(one) for _ in range(2)] == ["a"] * 2
    outside.write("UPDATE things_all SET name = 'b'")
    outside.carry()
    assert await outside.name(one) == "b"
    outside.write("UPDATE things_all SET name = 'c'")
    outside.write("SELECT pgkeel.cache_bump('things_all')")
    outside.carry()
    assert await outside.name(one) == "c"
