"""Up, down, up: what each migration keeps of its word."""

from collections.abc import Callable

import pytest

from pgkeel.migrations import Options, Source, up
from pgkeel.migrations.clone import cloned, read_original
from pgkeel.migrations.dump import Dumper
from pgkeel.migrations.errors import HalfApplied, MigrationFailed
from pgkeel.migrations.roundtrip import RoundTrip, round_trips
from pgkeel.migrations.scratch import Scratch
from pgkeel.postgres import Connection
from tests.migrations.folders import Write

BASE = "-- Up Migration\nCREATE TABLE t (id int PRIMARY KEY, n int);\n-- Down Migration\nDROP TABLE t;\n"
Try = Callable[..., tuple[RoundTrip, ...]]


@pytest.fixture
def tried(connection: Connection, app: Source) -> Try:
    """Tries the files of `app` in the test's own database."""

    def run(*versions: str) -> tuple[RoundTrip, ...]:
        return round_trips(connection, [app], lambda key: not versions or key[1] in versions, Options())

    return run


def file(up_part: str, down_part: str) -> str:
    return f"-- Up Migration\n{up_part}\n-- Down Migration\n{down_part}\n"


def slips(found: RoundTrip) -> list[tuple[str, tuple[str, ...]]]:
    return [(slip.code, slip.differences) for slip in found.slips]


@pytest.mark.majors
def test_a_down_that_brings_everything_back_passes_and_says_what_it_drops(tried: Try, write: Write) -> None:
    write("20240101000000_base", BASE)
    write(
        "20240102000000_more",
        file(
            "BEGIN;\nALTER TABLE t ADD COLUMN phone text;\nCOMMIT;\nCREATE INDEX CONCURRENTLY t_n ON t (n);",
            "DROP INDEX CONCURRENTLY t_n;\nBEGIN;\nALTER TABLE t DROP COLUMN phone;\nCOMMIT;",
        ),
    )

    base, more = tried()

    assert [(one.result, one.slips) for one in (base, more)] == [("ok", ()), ("ok", ())]
    assert (base.loses, more.loses) == (("public.t",), ("public.t.phone",))


def test_what_a_down_leaves_behind_or_takes_too_much_is_named(tried: Try, write: Write) -> None:
    write("20240101000000_base", BASE)
    write(
        "20240102000000_more",
        file(
            "CREATE SCHEMA IF NOT EXISTS shop; ALTER TABLE t ADD COLUMN IF NOT EXISTS phone text, ALTER COLUMN n SET DEFAULT 1;",
            "ALTER TABLE t DROP COLUMN n; ALTER TABLE t ADD COLUMN n bigint;",
        ),
    )

    found = tried()[1]

    assert found.result == "failed"
    code, differences = slips(found)[0]
    assert code == "not_reverted"
    assert differences == (
        "column public.t.n was integer and is bigint",
        "column public.t.phone is left behind: text",
        "schema shop is left behind",
    )
    assert slips(found)[1] == ("not_repeatable", ("column public.t.n was integer DEFAULT 1 and is bigint DEFAULT 1",))


def test_an_up_that_cannot_run_twice_is_found_and_the_rest_is_not_reached(tried: Try, write: Write) -> None:
    write("20240101000000_base", BASE)
    write("20240102000000_more", file("ALTER TABLE t ADD COLUMN phone text;", "SELECT 1;"))
    write("20240103000000_last", file("SELECT 1;", "SELECT 1;"))

    base, more, last = tried()

    assert (base.result, more.result, last.result) == ("ok", "failed", "not_reached")
    assert [slip.code for slip in more.slips] == ["not_reverted", "up_failed"]
    assert "20240102000000_more.sql:2:1: column" in more.slips[1].message


def test_a_down_that_fails_is_found_with_its_place(tried: Try, write: Write) -> None:
    write("20240101000000_base", file("CREATE TABLE t (id int);", "DROP TABLE nowhere;"))

    found = tried()[0]

    assert [slip.code for slip in found.slips] == ["down_failed"]
    assert "_base.sql:4:1: table" in found.slips[0].message


def test_an_irreversible_one_is_applied_and_said_to_be(tried: Try, write: Write) -> None:
    write("20240101000000_base", BASE)
    write(
        "20240102000000_merge", "-- pgkeel: irreversible -- values were merged\n-- Up Migration\nALTER TABLE t DROP COLUMN n;\n"
    )

    found = tried()[1]

    assert (found.result, found.reason, found.slips) == ("irreversible", "values were merged", ())


def test_backfills_are_finished_so_that_what_needs_them_can_follow(tried: Try, write: Write) -> None:
    sections = "-- Backfill Migration table=t key=id\nUPDATE t SET n = 1 WHERE id > :lo AND id <= :hi;\n"
    code = "-- Backfill Migration table=t key=id code=secret.module:encrypt\n"
    write("20240101000000_base", BASE + sections + code)
    write("20240102000000_strict", "-- pgkeel: needs backfill 20240101000000\n" + file("SELECT 1;", "SELECT 1;"))

    assert [one.result for one in tried()] == ["ok", "ok"]


def test_a_backfill_of_a_table_that_is_not_there_is_found(tried: Try, write: Write) -> None:
    section = "-- Backfill Migration table=nowhere key=id\nUPDATE nowhere SET n = 1 WHERE id > :lo AND id <= :hi;\n"
    write("20240101000000_base", BASE + section)

    assert [slip.code for slip in tried()[0].slips] == ["backfill_failed"]


def test_a_role_that_a_down_leaves_is_found(tried: Try, write: Write, connection: Connection) -> None:
    write("20240101000000_role", file("CREATE ROLE left_behind;", "SELECT 1;"))
    try:
        found = tried()[0]
    finally:
        connection.execute("DROP ROLE IF EXISTS left_behind")

    assert slips(found)[0] == ("not_reverted", ("role left_behind is left behind",))


def test_a_subscription_is_not_rehearsed(tried: Try, write: Write) -> None:
    publisher = "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p;"
    write("20240101000000_subscribe", file(publisher, "DROP SUBSCRIPTION s;"))
    write("20240102000000_base", BASE)

    assert [one.result for one in tried()] == ["not_tried", "ok"]


def test_only_the_wanted_ones_are_taken_down(tried: Try, write: Write, connection: Connection) -> None:
    write("20240101000000_base", BASE)
    write("20240102000000_more", file("ALTER TABLE t ADD COLUMN phone text;", "ALTER TABLE t DROP COLUMN phone;"))

    assert [one.version for one in tried("20240102000000")] == ["20240102000000"]
    log = connection.execute("SELECT version, event FROM pgkeel.migration_log ORDER BY id").fetchall()
    assert [(row["version"][:8], row["event"]) for row in log] == [
        ("20240101", "applied"),
        ("20240102", "applied"),
        ("20240102", "reverted"),
        ("20240102", "applied"),
    ]


def test_on_a_copy_of_the_database_only_what_is_pending_is_tried(
    connection: Connection, app: Source, write: Write, pg_dump: Dumper, scratch: Scratch
) -> None:
    write("20240101000000_base", BASE)
    up(connection, [app])
    connection.execute("INSERT INTO t VALUES (1, 1)")
    write("20240102000000_more", file("ALTER TABLE t ADD COLUMN phone text;", "ALTER TABLE t DROP COLUMN phone;"))

    with cloned(scratch, read_original(connection, pg_dump)) as copy:
        found = round_trips(copy.connection, [app], lambda _: True, Options())

    assert [(one.version, one.result) for one in found] == [("20240102000000", "ok")]
    assert connection.execute("SELECT FROM t").rowcount == 1
    row = connection.execute("SELECT count(*) AS count FROM pgkeel.migration_log WHERE version = '20240102000000'").fetchone()
    assert row == {"count": 0}


def test_a_half_applied_migration_is_finished_before_anything_is_tried(
    connection: Connection, tried: Try, app: Source, write: Write
) -> None:
    write(
        "20240101000000_two",
        file("BEGIN;\nCREATE TABLE a (x int);\nCOMMIT;\nBEGIN;\nCREATE TABLE b (x no);\nCOMMIT;", "SELECT 1;"),
    )
    with pytest.raises(MigrationFailed):
        up(connection, [app])

    with pytest.raises(HalfApplied):
        tried()
