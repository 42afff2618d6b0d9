"""What a run leaves behind, on every major."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from pgkeel.core.errors import LockNotObtained, NotFound, Refused
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.scaling import partitions
from tests.scaling.conftest import fill

NOW = datetime(2024, 1, 15, tzinfo=UTC)
VOTES = 12_560


def attached(connection: Connection) -> dict[str, str]:
    rows = connection.execute("""
        SELECT child.relname AS name, pg_get_expr(child.relpartbound, child.oid) AS bound
        FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid WHERE inhparent = 'events'::regclass ORDER BY 1""")
    return {row["name"]: row["bound"] for row in rows}


def count(connection: Connection, table: str, where: str = "true") -> int:
    row = connection.execute(f"SELECT count(*) AS n FROM {table} WHERE {where}".encode()).fetchone()
    assert row is not None
    return int(row["n"])


def digest(connection: Connection) -> object:
    return connection.execute("SELECT count(*), sum(hashtextextended(e::text, 0)) AS sum FROM events AS e").fetchone()


@pytest.mark.majors
def test_three_months_ahead_are_made_and_look_like_any_partition(db: Connection, major: str) -> None:
    outcome = partitions.run(db, "events", now=NOW)

    assert outcome.created == ("events_2024_02", "events_2024_03", "events_2024_04")
    db.execute("CREATE TABLE events_2024_05 PARTITION OF events FOR VALUES FROM ('2024-05-01+00') TO ('2024-06-01+00')")
    constraints = """SELECT conname, contype, pg_get_constraintdef(oid) AS text, convalidated, conparentid <> 0 AS from_parent
                     FROM pg_constraint WHERE conrelid = %s::regclass ORDER BY 1"""
    ours, theirs = (db.execute(constraints, [name]).fetchall() for name in ("events_2024_04", "events_2024_05"))
    assert [{**row, "conname": row["conname"].replace("_04_", "_05_")} for row in ours] == theirs
    triggers = "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal ORDER BY 1"
    assert db.execute(triggers, ["events_2024_04"]).fetchall() == db.execute(triggers, ["events_2024_05"]).fetchall()
    indexes = "SELECT replace(indexdef, '_04', '_05') AS text FROM pg_indexes WHERE tablename = %s ORDER BY 1"
    assert db.execute(indexes, ["events_2024_04"]).fetchall() == db.execute(indexes, ["events_2024_05"]).fetchall()


@pytest.mark.majors
def test_the_default_partition_is_drained_into_its_months(db: Connection, major: str) -> None:
    fill(db, VOTES)
    before = digest(db)

    outcome = partitions.run(db, "events", now=NOW, blocks=50)

    months = [f"events_2018_{month:02}" for month in range(3, 10)]
    assert list(outcome.moved) == months
    assert sum(outcome.moved.values()) == VOTES
    assert outcome.left == 0
    assert count(db, "ONLY events_default") == 0
    assert set(months) <= attached(db).keys()
    assert digest(db) == before
    assert count(db, "fired") == 0


@pytest.mark.majors
def test_a_run_leaves_nothing_of_its_own_behind(db: Connection, major: str) -> None:
    names = "SELECT string_agg(relname, ' ' ORDER BY relname) AS names FROM pg_class WHERE relname LIKE '%pgkeel%'"
    fill(db, 100)

    partitions.run(db, "events", now=NOW)

    assert db.execute(names).fetchone() == {"names": None}
    assert count(db, "pg_trigger", "tgname LIKE 'pgkeel%'") == 0
    assert count(db, "pg_proc", "proname LIKE '%pgkeel%'") == 0
    assert count(db, "pg_description", "description LIKE 'pgkeel%'") == 0
    assert count(db, "pg_locks", "locktype = 'advisory' AND pid = pg_backend_pid()") == 0


def test_a_second_run_has_nothing_to_do(db: Connection) -> None:
    fill(db, 100)
    partitions.run(db, "events", now=NOW)

    outcome = partitions.run(db, "events", now=NOW)

    assert (outcome.created, outcome.moved, outcome.left) == ((), {}, 0)


@pytest.mark.majors
def test_bounds_do_not_depend_on_the_session_time_zone(events_db: Url, major: str) -> None:
    with connect(events_db, settings={"timezone": "America/New_York"}) as connection:
        connection.execute("SET timezone = 'America/New_York'")
        fill(connection, 500)
        partitions.run(connection, "events", now=datetime(2024, 2, 1, 2, tzinfo=UTC))
        again = partitions.run(connection, "events", now=datetime(2024, 2, 1, 2, tzinfo=UTC))
        connection.execute("SET timezone = 'UTC'")
        bounds = attached(connection)

    assert again.created == ()
    assert bounds["events_2018_03"] == "FOR VALUES FROM ('2018-03-01 00:00:00+00') TO ('2018-04-01 00:00:00+00')"
    assert bounds["events_2024_05"] == "FOR VALUES FROM ('2024-05-01 00:00:00+00') TO ('2024-06-01 00:00:00+00')"
    assert "events_2024_06" not in bounds


@pytest.mark.majors
def test_rows_that_no_month_can_hold_stay_and_no_trigger_fires_for_them(db: Connection, major: str) -> None:
    fill(db, 100)
    db.execute("INSERT INTO events (occurred_at, type) VALUES ('infinity', 'a'), ('-infinity', 'b'), ('0044-03-15 BC', 'c')")
    db.execute("ALTER TABLE events_default ENABLE ALWAYS TRIGGER events_audit")
    db.execute("TRUNCATE fired")

    outcome = partitions.run(db, "events", now=NOW)

    assert (outcome.left, sum(outcome.moved.values())) == (3, 100)
    assert "infinite" in outcome.why_left
    assert count(db, "ONLY events_default") == 3
    assert count(db, "fired") == 0
    assert count(db, "pg_trigger", "tgrelid = 'events_default'::regclass AND tgname = 'events_audit' AND tgenabled = 'A'") == 1


def test_rows_beside_a_partition_that_covers_part_of_their_month_stay(db: Connection) -> None:
    db.execute("CREATE TABLE week PARTITION OF events FOR VALUES FROM ('2018-03-01+00') TO ('2018-03-08+00')")
    fill(db, 700)

    outcome = partitions.run(db, "events", now=NOW)

    assert "events_2018_03" not in attached(db)
    assert outcome.left == count(db, "ONLY events_default") > 0
    assert count(db, "events") == 700


def test_foreign_keys_act_on_rows_that_moved(db: Connection) -> None:
    fill(db, 100)
    partitions.run(db, "events", now=NOW)

    db.execute("DELETE FROM users")

    assert count(db, "events", "user_id IS NULL") == 100


@pytest.mark.parametrize(
    ("obstacle", "reason"),
    [
        ("ALTER TABLE events DROP CONSTRAINT events_pkey", "no primary key"),
        ("CREATE TABLE notes (e uuid, at timestamptz, FOREIGN KEY (e, at) REFERENCES events)", "a foreign key points to"),
        ("CREATE PUBLICATION everything FOR TABLE events", "publication"),
    ],
)
def test_rows_that_cannot_be_moved_safely_stay_and_the_months_ahead_are_made(db: Connection, obstacle: str, reason: str) -> None:
    fill(db, 50)
    db.execute(obstacle.encode())

    outcome = partitions.run(db, "events", now=NOW)

    assert reason in outcome.why_left
    assert outcome.left == 50
    assert outcome.created == ("events_2024_02", "events_2024_03", "events_2024_04")


def test_a_long_transaction_stalls_nobody_and_the_run_says_so(db: Connection, events_db: Url) -> None:
    fill(db, 100)
    with connect(events_db) as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM events")
        with pytest.raises(LockNotObtained, match="events"):
            partitions.run(db, "events", now=NOW, deadline=timedelta(seconds=1))
        assert count(db, "events") == 100

    outcome = partitions.run(db, "events", now=NOW)

    assert sum(outcome.moved.values()) == 100
    assert count(db, "ONLY events_default") == 0


def test_a_snapshot_older_than_the_copies_is_waited_for(db: Connection, events_db: Url) -> None:
    fill(db, 100)
    with connect(events_db) as reader:
        reader.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with reader.transaction():
            reader.execute("SELECT count(*) FROM users")
            with pytest.raises(LockNotObtained, match="older than the copies"):
                partitions.run(db, "events", now=NOW, deadline=timedelta(seconds=1))
            assert count(reader, "events", "occurred_at >= '2018-03-01+00' AND occurred_at < '2018-04-01+00'") > 0
            assert count(reader, "events") == 100


def test_the_columns_of_a_default_partition_may_stand_in_another_order(db: Connection) -> None:
    db.execute("ALTER TABLE events DETACH PARTITION events_default; DROP TABLE events_default")
    db.execute("""CREATE TABLE events_default (payload jsonb NOT NULL DEFAULT '{}', dropped int, type varchar(100) NOT NULL
                  CONSTRAINT events_type_check CHECK (type ~ '^[a-z][a-z0-9_.]*$'), amount numeric(19,4),
                  doubled numeric GENERATED ALWAYS AS (amount * 2) STORED, user_id uuid,
                  occurred_at timestamptz NOT NULL, id uuid NOT NULL)""")
    db.execute("ALTER TABLE events_default DROP COLUMN dropped; ALTER TABLE events ATTACH PARTITION events_default DEFAULT")
    db.execute("ALTER TABLE events_default ALTER id SET DEFAULT gen_random_uuid()")
    fill(db, 300)
    before = digest(db)

    partitions.run(db, "events", now=NOW)

    assert count(db, "ONLY events_default") == 0
    assert digest(db) == before


def test_a_table_without_default_partition_gets_its_months(db: Connection) -> None:
    db.execute("DROP TABLE events_default")

    outcome = partitions.run(db, "public.events", now=NOW)

    assert len(outcome.created) == 3


@pytest.mark.parametrize(
    ("table", "error"), [("nothing", NotFound), ("users", NotFound), ("by_list", Refused), ("by_date", Refused)]
)
def test_what_is_not_a_monthly_table_is_refused(db: Connection, table: str, error: type[Exception]) -> None:
    db.execute("CREATE TABLE by_list (a text) PARTITION BY LIST (a); CREATE TABLE by_date (a date) PARTITION BY RANGE (a)")

    with pytest.raises(error):
        partitions.run(db, table, now=NOW)


def test_a_strangers_table_with_the_name_of_a_month_is_left_alone(db: Connection) -> None:
    db.execute("CREATE TABLE events_2024_02 (precious text)")

    with pytest.raises(Refused, match="events_2024_02"):
        partitions.run(db, "events", now=NOW)

    assert count(db, "events_2024_02") == 0
