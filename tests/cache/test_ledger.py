"""What changes rows behind the application's back says so in the ledger, from where the agent carries it to the cache."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from pgkeel.core.ids import random_id
from pgkeel.core.url import Url
from pgkeel.migrations import PGKEEL, Source, backfill, up
from pgkeel.postgres import Connection, connect
from pgkeel.postgres.cache_ledger import forget_cached
from pgkeel.postgres.catalog import snapshot
from pgkeel.schema.field import EncryptedField
from pgkeel.security import keys as ring_of_keys
from pgkeel.testing.keys import provider_for_tests
from tests.security.sealed_table import AT_ONCE, FIELDS, make_table

PERSON = EncryptedField(("people",), "note", "id", by_subject=True)


@pytest.fixture
def connection(empty_db: Url) -> Iterator[Connection]:
    with connect(empty_db) as opened:
        up(opened, [PGKEEL])
        opened.execute("TRUNCATE pgkeel.cache_generation")
        yield opened


def told(connection: Connection) -> dict[str, int]:
    """Return how often each table became unknown, and forget it."""
    rows = connection.execute("DELETE FROM pgkeel.cache_generation RETURNING relation, generation").fetchall()
    return {row["relation"]: row["generation"] for row in rows}


def test_a_table_is_bumped_under_its_one_name_and_a_misspelt_one_is_refused(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE posts (id integer PRIMARY KEY); CREATE SCHEMA shop CREATE TABLE orders (id integer PRIMARY KEY)"
    )
    connection.execute("SELECT pgkeel.cache_bump('posts', 'public.posts', 'shop.orders')")
    assert told(connection) == {"posts": 1, "shop.orders": 1}
    for wrong in ("post", "shop.posts", "public.orders", "", "Posts"):
        with pytest.raises(psycopg.errors.UndefinedTable, match=f"there is no table {wrong}"):
            connection.execute("SELECT pgkeel.cache_bump('posts', %s)", [wrong])
    assert told(connection) == {}
    forget_cached(connection)
    assert told(connection) == {"*": 1}


def test_a_watched_table_does_not_differ_from_its_model(connection: Connection) -> None:
    connection.execute("CREATE TABLE posts (id int PRIMARY KEY)")
    before = snapshot(connection)
    connection.execute("SELECT pgkeel.cache_watch('posts')")
    assert snapshot(connection) == before  # or `migrate diff` would take the triggers away


def test_each_batch_of_a_backfill_makes_its_table_unknown(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "20240101000000_people.sql").write_text(
        "-- Up Migration\nCREATE TABLE people (id bigint PRIMARY KEY, name text);\n"
        "INSERT INTO people SELECT g FROM generate_series(1, 20) AS g;\n-- Down Migration\nDROP TABLE people;\n"
        "-- Backfill Migration table=people batch=10 pause=0ms\n"
        "UPDATE people SET name = 'a' WHERE id > :lo AND id <= :hi AND id <= 10;\n"
    )
    up(connection, [Source("app", tmp_path)])
    told(connection)
    backfill.run(connection)
    assert told(connection) == {"people": 1}  # the second batch changed nothing


def test_an_erased_person_and_a_destroyed_key_are_in_no_cache(connection: Connection, empty_db: Url) -> None:
    make_table(connection)
    provider = provider_for_tests()
    ring_of_keys.ensure(connection, provider)
    ring = ring_of_keys.load_ring(connection, provider, partial(connect, empty_db))
    told(connection)
    ring_of_keys.erase(connection, [PERSON], str(random_id()), dry_run=True)
    assert told(connection) == {}
    ring_of_keys.erase(connection, [PERSON], str(random_id()))
    assert told(connection) == {"people": 1}
    ring_of_keys.activate(connection, ring_of_keys.add(connection, provider).id, refresh=AT_ONCE)
    ring.take(ring_of_keys.keys_of(connection))
    ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    assert told(connection) == {}
    ring_of_keys.destroy(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    assert told(connection) == {"*": 1}
