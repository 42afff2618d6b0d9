"""A dump is always the same text, and makes the same schema with the same ledger."""

from collections.abc import Callable, Iterator

import pytest

from pgkeel.local import Cluster
from pgkeel.migrations import Source, status, up
from pgkeel.migrations.dump import Dumper, NotEmpty, dump, load_dump
from pgkeel.migrations.errors import BadMigration, HalfApplied, MigrationFailed
from pgkeel.postgres import Connection, connect
from pgkeel.postgres.catalog import snapshot
from tests.migrations.folders import Write
from tests.migrations.test_conversion import SCHEMA

ALL = f"-- Up Migration\n{SCHEMA}\n-- Down Migration\nDROP TABLE things CASCADE;\n"


@pytest.fixture
def another(cluster: Cluster) -> Iterator[Connection]:
    """A connection to a second empty database."""
    cluster.create_database("another")
    with connect(cluster.superuser_url("another")) as opened:
        yield opened
    cluster.drop_database("another")


@pytest.mark.majors
def test_a_loaded_dump_has_the_same_fingerprint_status_and_dump(
    connection: Connection, another: Connection, app: Source, write: Write, pg_dump: Dumper
) -> None:
    write("20240101120000_all", ALL)
    up(connection, [app])
    text = dump(connection, pg_dump)

    load_dump(another, text, "schema.sql")

    assert snapshot(another).fingerprint == snapshot(connection).fingerprint
    assert [(one.name, one.state) for one in status(another, [app]).migrations] == [("all", "applied")]
    assert up(another, [app]).steps == ()
    assert dump(connection, pg_dump) == text
    assert not any(word in text for word in ("\\restrict", "Dumped", "SET statement_timeout"))


def test_a_dump_is_loaded_into_an_empty_database_only_and_wholly(connection: Connection, app: Source) -> None:
    with pytest.raises(BadMigration, match=r"schema.sql:2:\d+: "):
        load_dump(connection, "CREATE TABLE a (id int);\nCREATE TABLE b (id nonsense);", "schema.sql")
    load_dump(connection, "CREATE TABLE a (id int);", "schema.sql")
    with pytest.raises(NotEmpty, match=r"public\.a"):
        load_dump(connection, "CREATE TABLE b (id int);", "schema.sql")


def test_a_half_applied_migration_is_not_dumped(
    connection: Connection, app: Source, write: Write, pg_dump: Callable[..., str]
) -> None:
    write(
        "20240101120000_two",
        "-- Up Migration\nBEGIN;\nCREATE TABLE a (id int);\nCOMMIT;\nBEGIN;\nSELECT 1 / 0;\nCOMMIT;\n"
        "-- Down Migration\nDROP TABLE a;\n",
    )
    with pytest.raises(MigrationFailed):
        up(connection, [app])

    with pytest.raises(HalfApplied):
        dump(connection, pg_dump)
