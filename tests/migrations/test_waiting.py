"""What runs wait for: tables, snapshots, other runners; and what stopped builds leave behind."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.migrations import Options, Source, down, up
from pgkeel.migrations.errors import MigrationBlocked, MigrationFailed, NotOwned, RunnerBusy
from pgkeel.migrations.guard import LOCK_KEY, jittered
from pgkeel.postgres import Connection, connect
from tests.migrations.folders import Write

ADD = "-- Up Migration{options}\nBEGIN;\nALTER TABLE users ADD COLUMN phone text;\nCOMMIT;\n-- Down Migration\nSELECT 1;\n"
INDEX = "-- Up Migration\nCREATE {unique}INDEX CONCURRENTLY {exists}by_v ON users (v);\n"
INDEX += "-- Down Migration\nDROP INDEX CONCURRENTLY by_v;\n"
SHORT = Options(lock_timeout=timedelta(milliseconds=100), deadline=timedelta(seconds=1))


@pytest.fixture(autouse=True)
def users(connection: Connection) -> None:
    connection.execute("CREATE TABLE users (id int PRIMARY KEY, v int)")
    connection.execute("INSERT INTO users SELECT g, g FROM generate_series(1, 1000) AS g")


@contextmanager
def reader(url: Url, *, isolation: psycopg.IsolationLevel | None = None) -> Iterator[Connection]:
    """A session that has read `users` and does not end its transaction."""
    with connect(url, application="a slow report") as other:
        other.isolation_level = isolation
        with other.transaction():
            other.execute("SELECT count(*) FROM users")
            yield other


def events(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT event FROM pgkeel.migration_log ORDER BY id").fetchall()
    return [row["event"] for row in rows]


def is_valid(connection: Connection) -> bool:
    row = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_v'::regclass").fetchone()
    return bool(row and row["indisvalid"])


def test_a_reader_in_the_way_is_waited_for_in_short_tries(
    connection: Connection, empty_db: Url, app: Source, write: Write
) -> None:
    write("20240101000000_add", ADD.format(options=" lock_timeout=30ms"))
    talk: list[str] = []
    with reader(empty_db) as other:
        pid = other.info.backend_pid
        running = threading.Thread(target=up, args=(connection, [app], Options(), talk.append))
        running.start()
        while not any("waiting for" in text for text in talk):
            time.sleep(0.02)
    running.join()

    assert f"pid {pid} (a slow report" in "".join(talk)
    assert events(connection)[-2:] == ["applied", "fingerprint"]
    assert "retried" in events(connection)


def test_who_is_in_the_way_is_named_when_the_deadline_is_over(
    connection: Connection, empty_db: Url, app: Source, write: Write
) -> None:
    write("20240101000000_add", ADD.format(options=""))
    with reader(empty_db) as other:
        pid = other.info.backend_pid
        with pytest.raises(MigrationBlocked, match=r"add\.sql:3:1: .*a slow report") as caught:
            up(connection, [app], SHORT)

    assert caught.value.data["blockers"] == [pid]
    assert caught.value.exit_code == 4
    assert events(connection)[-1] == "failed"
    assert len(up(connection, [app]).steps) == 1


def test_retries_may_be_limited_by_the_file(connection: Connection, empty_db: Url, app: Source, write: Write) -> None:
    write("20240101000000_add", ADD.format(options=" lock_timeout=20ms retries=1"))
    with reader(empty_db), pytest.raises(MigrationBlocked):
        up(connection, [app])

    assert events(connection) == ["retried", "failed"]


@pytest.mark.majors
def test_a_concurrent_build_waits_for_an_old_snapshot_however_long(
    connection: Connection, empty_db: Url, app: Source, write: Write
) -> None:
    write("20240101000000_index", INDEX.format(unique="", exists=""))
    talk: list[str] = []
    with reader(empty_db, isolation=psycopg.IsolationLevel.REPEATABLE_READ):
        running = threading.Thread(target=up, args=(connection, [app], SHORT, talk.append))
        running.start()
        while not any("waiting for" in text for text in talk):
            time.sleep(0.02)
        time.sleep(0.3)
    running.join()

    assert is_valid(connection)


@pytest.fixture
def acting(connection: Connection, empty_db: Url) -> Iterator[Connection]:
    """A session of a login that acts as another role from its first statement, as the stack's owner does."""
    keeper, worker = f"keeper_{empty_db.database}", f"worker_{empty_db.database}"
    connection.execute(f"CREATE ROLE {keeper}; CREATE ROLE {worker} LOGIN PASSWORD 'w' IN ROLE {keeper}")
    connection.execute(f"ALTER ROLE {worker} SET role = {keeper}; ALTER TABLE users OWNER TO {keeper}")
    connection.execute(f"GRANT CREATE ON DATABASE {empty_db.database} TO {keeper}; GRANT ALL ON SCHEMA public TO {keeper}")
    with connect(empty_db.with_login(worker, Secret("w"))) as session:
        yield session
    connection.execute(f"DROP OWNED BY {keeper}, {worker} CASCADE; DROP ROLE {worker}, {keeper}")


@pytest.mark.majors
def test_how_far_an_index_build_is_is_told(acting: Connection, empty_db: Url, app: Source, write: Write) -> None:
    waiting = "BEGIN WHILE NOT pg_try_advisory_xact_lock_shared(7) LOOP PERFORM pg_sleep(0.01); END LOOP; RETURN v; END"
    acting.execute(f"CREATE FUNCTION slow(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS '{waiting}'")
    write("20240101000000_index", INDEX.format(unique="", exists="").replace("(v)", "(slow(v))"))
    talk: list[str] = []
    with connect(empty_db) as other:
        other.execute("SELECT pg_advisory_lock(7)")
        running = threading.Thread(target=up, args=(acting, [app], SHORT, talk.append))
        running.start()
        while not any("building index" in text for text in talk):
            time.sleep(0.02)
        other.execute("SELECT pg_advisory_unlock(7)")
        running.join()

    assert not any("None" in text for text in talk)
    assert any(text.startswith("app 20240101000000_index: building index: scanning table, ") for text in talk)
    assert is_valid(acting)


def test_runners_and_retries_do_not_march_in_step() -> None:
    second = timedelta(seconds=1)
    pauses = {jittered(second) for _ in range(50)}

    assert len(pauses) > 40
    assert all(second / 2 <= pause <= second * 1.5 for pause in pauses)


@pytest.mark.majors
def test_an_invalid_index_is_dropped_and_built_again(connection: Connection, app: Source, write: Write) -> None:
    write("20240101000000_index", INDEX.format(unique="UNIQUE ", exists=""))
    connection.execute("INSERT INTO users VALUES (1001, 1)")
    with pytest.raises(MigrationFailed) as caught:
        up(connection, [app])
    assert not is_valid(connection)
    assert "duplicates" in caught.value.hint

    connection.execute("DELETE FROM users WHERE id = 1001")
    talk: list[str] = []
    up(connection, [app], report=talk.append)

    assert is_valid(connection)
    assert any("INVALID index by_v" in text for text in talk)


def test_an_invalid_index_of_a_statement_that_was_corrected_is_dropped_too(
    connection: Connection, app: Source, write: Write
) -> None:
    write("20240101000000_index", INDEX.format(unique="UNIQUE ", exists=""))
    connection.execute("INSERT INTO users VALUES (1001, 1)")
    with pytest.raises(MigrationFailed):
        up(connection, [app])

    write("20240101000000_index", INDEX.format(unique="", exists="").replace("by_v", "by_value"))
    up(connection, [app])

    rows = connection.execute(
        "SELECT indexrelid::regclass::text AS name, indisvalid FROM pg_index WHERE indrelid = 'users'::regclass"
    )
    assert {row["name"]: row["indisvalid"] for row in rows.fetchall()} == {"users_pkey": True, "by_value": True}


def test_an_index_of_somebody_else_is_not_taken_for_ours(connection: Connection, app: Source, write: Write) -> None:
    write("20240101000000_index", INDEX.format(unique="", exists=""))
    connection.execute("CREATE INDEX by_v ON users (id)")

    with pytest.raises(NotOwned, match="by_v is there already"):
        up(connection, [app])


def test_if_not_exists_passes_over_a_usable_index_and_never_over_an_invalid_one(
    connection: Connection, app: Source, write: Write
) -> None:
    write("20240101000000_index", INDEX.format(unique="", exists="IF NOT EXISTS "))
    connection.execute("CREATE INDEX by_v ON users (v)")
    connection.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'by_v'::regclass")

    with pytest.raises(NotOwned, match="INVALID index by_v"):
        up(connection, [app])
    connection.execute("UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'by_v'::regclass")
    assert len(up(connection, [app]).steps) == 1
    assert len(down(connection, [app]).steps) == 1


@pytest.mark.majors
def test_a_detach_that_was_stopped_is_finished(connection: Connection, empty_db: Url, app: Source, write: Write) -> None:
    connection.execute("CREATE TABLE e (d date) PARTITION BY RANGE (d)")
    connection.execute("CREATE TABLE e1 PARTITION OF e FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')")
    write(
        "20240101000000_detach",
        "-- Up Migration\nALTER TABLE e DETACH PARTITION e1 CONCURRENTLY;\n-- Down Migration\nSELECT 1;\n",
    )
    with connect(empty_db) as other, other.transaction():
        other.execute("SELECT FROM e")
        with connect(empty_db) as victim:
            running = threading.Thread(target=_ignore_failure, args=(victim, app))
            running.start()
            while not _is_detaching(connection):
                time.sleep(0.02)
            connection.execute("SELECT pg_cancel_backend(%s)", [victim.info.backend_pid])
            running.join()
    assert _is_detaching(connection)

    up(connection, [app])

    assert connection.execute("SELECT FROM pg_inherits WHERE inhparent = 'e'::regclass").rowcount == 0


def _ignore_failure(connection: Connection, app: Source) -> None:
    with pytest.raises(MigrationFailed):
        up(connection, [app])


def _is_detaching(connection: Connection) -> bool:
    return connection.execute("SELECT FROM pg_inherits WHERE inhdetachpending").rowcount == 1


def test_a_runner_that_waits_says_for_whom_and_gives_up_in_time(
    connection: Connection, empty_db: Url, app: Source, write: Write
) -> None:
    write("20240101000000_add", ADD.format(options=""))
    talk: list[str] = []
    with connect(empty_db, application="the other runner") as other:
        pid = other.info.backend_pid
        other.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        with pytest.raises(RunnerBusy, match="the other runner"):
            up(connection, [app], Options(wait=timedelta(milliseconds=100)), talk.append)

    assert f"pid {pid}" in talk[0]


def test_an_interrupted_run_leaves_nothing_and_can_be_repeated(
    connection: Connection, empty_db: Url, app: Source, write: Write
) -> None:
    write("20240101000000_add", ADD.format(options=""))

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with reader(empty_db), pytest.raises(KeyboardInterrupt):
        up(connection, [app], report=interrupt)

    assert connection.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()").rowcount == 0
    assert len(up(connection, [app]).steps) == 1
