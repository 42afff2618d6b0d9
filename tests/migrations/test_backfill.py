"""Backfills: once for each row, whoever runs, stops or kills them."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from pgkeel.core.errors import NotFound, Refused
from pgkeel.core.url import Url
from pgkeel.migrations import Source, backfill, up
from pgkeel.migrations.backfill.keys import BackfillKey, find_target
from pgkeel.migrations.backfill.throttle import Pace, Throttle
from pgkeel.migrations.errors import BackfillFailed, BackfillMissing, RunnerBusy
from pgkeel.migrations.guard import runner_lock
from pgkeel.migrations.options import Options
from pgkeel.postgres import Connection, connect
from tests.migrations.folders import Write

RUNNER = Path(__file__).parent / "run_backfill.py"
VERSION = "20240101000000"
UP = "-- Up Migration\n{up}\n-- Down Migration\nDROP TABLE people;\n-- Backfill Migration {options}\n{statement}\n"
BIGINT = "CREATE TABLE people (id bigint PRIMARY KEY, times int NOT NULL DEFAULT 0);\n"
BIGINT += "INSERT INTO people SELECT g FROM generate_series(1, {rows}) AS g;"
UUID_KEY = "CREATE TABLE people (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), times int NOT NULL DEFAULT 0);\n"
UUID_KEY += "INSERT INTO people (times) SELECT 0 FROM generate_series(1, {rows});"
COUNT = "UPDATE people SET times = times + 1 WHERE id > :lo AND id <= :hi -- :lo stays here\n AND ':lo %' <> '';"
Fill = Callable[..., None]


@pytest.fixture
def fill(connection: Connection, app: Source, write: Write) -> Fill:
    """Applies a migration with a table of people and a backfill that counts how often each row was visited."""

    def apply(*, up_sql: str = BIGINT, rows: int = 1000, options: str = "table=people", statement: str = COUNT) -> None:
        write(f"{VERSION}_people", UP.format(up=up_sql.format(rows=rows), options=options, statement=statement))
        up(connection, [app])

    return apply


def visits(connection: Connection) -> dict[int, int]:
    rows = connection.execute("SELECT times, count(*) AS n FROM people GROUP BY times ORDER BY times").fetchall()
    return {row["times"]: row["n"] for row in rows}


@pytest.mark.majors
@pytest.mark.parametrize("table", [BIGINT, UUID_KEY], ids=["bigint", "uuid"])
def test_every_row_is_visited_once_and_a_second_run_does_nothing(connection: Connection, fill: Fill, table: str) -> None:
    fill(up_sql=table, rows=1234, options="table=people batch=100 pause=0ms")

    found = backfill.run(connection)
    again = backfill.run(connection, VERSION)

    assert visits(connection) == {1: 1234}
    assert [(state.status, state.rows_done) for state in found] == [("finished", 1234)]
    assert again == found
    assert backfill.forecast(connection, found[0]).share == 1
    assert connection.execute("SHOW lock_timeout").fetchone() == {"lock_timeout": "0"}


def test_an_empty_table_is_finished_at_once(connection: Connection, fill: Fill) -> None:
    fill(rows=0)

    assert backfill.run(connection)[0].status == "finished"


def test_a_later_file_waits_for_the_backfill_it_needs(connection: Connection, fill: Fill, app: Source, write: Write) -> None:
    fill(rows=10)
    later = (
        f"-- pgkeel: needs backfill {VERSION}\n-- Up Migration\nCREATE TABLE later ();\n-- Down Migration\nDROP TABLE later;\n"
    )
    write("20240102000000_later", later)

    with pytest.raises(BackfillMissing):
        up(connection, [app])
    backfill.run(connection)

    assert len(up(connection, [app]).steps) == 1


@pytest.mark.faults
def test_killed_at_any_batch_no_row_is_visited_twice(connection: Connection, empty_db: Url, fill: Fill) -> None:
    fill(rows=30_000, options="table=people batch=200 pause=1ms")
    dice = random.Random()
    argv, environment = [sys.executable, str(RUNNER)], {**os.environ, "PGKEEL_TEST_URL": empty_db.reveal()}

    for _ in range(6):
        with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as runner:
            assert runner.stdout is not None
            assert runner.stdout.readline() == "ready\n"
            time.sleep(dice.uniform(0, 0.4))
            runner.send_signal(signal.SIGKILL)
    last = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    assert last.returncode == 0, last.stderr
    assert visits(connection) == {1: 30_000}


def test_two_runners_at_once_do_no_batch_twice(connection: Connection, empty_db: Url, fill: Fill) -> None:
    fill(rows=5000, options="table=people batch=200 pause=1ms")
    with connect(empty_db) as other:
        second = threading.Thread(target=backfill.run, args=(other,))
        second.start()
        backfill.run(connection)
        second.join()

    assert visits(connection) == {1: 5000}


def test_a_second_runner_that_may_not_wait_is_refused(connection: Connection, empty_db: Url, fill: Fill) -> None:
    fill()
    at_once = Options(wait=timedelta())
    with connect(empty_db) as other, runner_lock(other, at_once, print, key=backfill.LOCK_KEY), pytest.raises(RunnerBusy):
        backfill.run(connection, options=at_once)


def test_a_paused_one_stops_within_a_batch_and_goes_on_when_it_is_named(
    connection: Connection, empty_db: Url, fill: Fill
) -> None:
    fill(options="table=people batch=100 pause=0ms code=shop:count", statement="")
    with connect(empty_db) as other:

        def count_and_pause(inside: Connection, lo: BackfillKey, hi: BackfillKey) -> int:
            waiting = threading.Thread(target=backfill.pause, args=(other, VERSION))
            waiting.start()
            while not _waits(connection_for_looks, other.info.backend_pid):
                time.sleep(0.01)
            return count(inside, lo, hi)

        with connect(empty_db) as connection_for_looks:
            paused = backfill.run(connection, resolve=lambda _: count_and_pause)

    left_alone = backfill.run(connection, resolve=lambda _: count)
    finished = backfill.run(connection, VERSION, resolve=lambda _: count)

    assert [state.status for state in paused] == ["paused"]
    assert paused[0].rows_done in {100, 200}, "whoever waits for the row may be woken just after the next batch took it"
    assert left_alone == paused
    assert finished[0].status == "finished"
    assert visits(connection) == {1: 1000}


def count(connection: Connection, lo: BackfillKey, hi: BackfillKey) -> int:
    query = "UPDATE people SET times = times + 1 WHERE id > %s AND id <= %s"
    return connection.execute(query, [lo, hi]).rowcount


def _waits(connection: Connection, pid: int) -> bool:
    query = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
    return connection.execute(query, [pid]).rowcount == 1


def test_a_row_that_somebody_holds_is_waited_for_in_short_tries(connection: Connection, empty_db: Url, fill: Fill) -> None:
    fill(rows=300)
    with connect(empty_db) as writer, connect(empty_db) as reader:
        writer.execute("BEGIN")
        writer.execute("UPDATE people SET times = 0 WHERE id = 150")
        work = threading.Thread(target=backfill.run, args=(connection,))
        work.start()
        while (backfill.states(reader)[0].last_key or "0") != "149":
            time.sleep(0.02)
        writer.execute("COMMIT")
        work.join()

        assert visits(reader) == {1: 300}


def test_a_refused_batch_is_told_and_those_before_it_are_kept(connection: Connection, fill: Fill) -> None:
    fill(rows=300, statement="UPDATE people SET times = 1 / (id - 250)::int WHERE id > :lo AND id <= :hi;")

    with pytest.raises(BackfillFailed, match="division by zero") as caught:
        backfill.run(connection)

    state = backfill.states(connection)[0]
    assert state.status == "failed"
    assert state.error == "division by zero"
    assert VERSION in caught.value.hint
    assert 0 < int(state.last_key or 0) < 250


@pytest.mark.parametrize(
    ("table", "options", "error", "message"),
    [
        (BIGINT, "table=nobody", NotFound, "no table nobody"),
        (BIGINT, "table=people key=nothing", NotFound, "no column nothing"),
        (BIGINT, "table=people key=times", Refused, "no index leads with people.times"),
        ("CREATE TABLE people (id text PRIMARY KEY, times int);", "table=people", Refused, "of type text"),
        ("CREATE TABLE people (id int UNIQUE, times int);", "table=people key=id", Refused, "may be NULL"),
        ("CREATE TABLE people (id int, times int);", "table=people", NotFound, "no primary key of one column"),
    ],
)
def test_what_cannot_be_walked_is_refused(
    connection: Connection, fill: Fill, table: str, options: str, error: type[Exception], message: str
) -> None:
    fill(up_sql=table, options=options, rows=5)

    with pytest.raises(error, match=message):
        backfill.run(connection)

    assert backfill.forecast(connection, backfill.states(connection)[0]).share == 0


@pytest.mark.majors
@pytest.mark.parametrize(
    ("policies", "is_walked"),
    [
        ("CREATE POLICY mine ON people USING (times = 0); CREATE POLICY walks ON people TO walker USING (true)", True),
        ("CREATE POLICY mine ON people USING (times = 0)", False),
        ("CREATE POLICY walks ON people FOR SELECT TO walker USING (true)", False),
        ("CREATE POLICY others ON people TO pg_monitor USING (true)", False),
        ("CREATE POLICY walks ON people USING (true); CREATE POLICY less ON people AS RESTRICTIVE USING (times = 0)", False),
        ("SELECT", False),
    ],
)
def test_a_table_whose_policies_hide_no_row_from_its_owner_is_walked(
    connection: Connection, policies: str, is_walked: bool
) -> None:
    connection.execute("BEGIN; CREATE ROLE walker; CREATE TABLE people (id bigint PRIMARY KEY, times int)")
    connection.execute("ALTER TABLE people OWNER TO walker")
    connection.execute("ALTER TABLE people ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    connection.execute(policies)
    connection.execute("SET ROLE walker")
    try:
        if is_walked:
            assert find_target(connection, "people", None).table == "people"
        else:
            with pytest.raises(Refused, match="row-level security hides rows of people"):
                find_target(connection, "people", None)
    finally:
        connection.execute("ROLLBACK")


def test_the_lowest_key_of_its_type_is_refused(connection: Connection, fill: Fill) -> None:
    fill(up_sql=UUID_KEY + "\nUPDATE people SET id = '00000000-0000-0000-0000-000000000000';", rows=1)

    with pytest.raises(BackfillFailed, match="nothing lies before it"):
        backfill.run(connection)


def test_unknown_code_and_versions_are_refused(connection: Connection, fill: Fill) -> None:
    fill(options="table=people code=no_such_module:encrypt", statement="")

    with pytest.raises(NotFound, match="no_such_module"):
        backfill.run(connection)
    with pytest.raises(NotFound, match="has no backfill"):
        backfill.pause(connection, "20200101000000")


def test_batches_shrink_while_writers_wait_and_grow_again() -> None:
    pace = Pace(Throttle(batch=1000))
    quick, slow = timedelta(milliseconds=5), timedelta(milliseconds=400)

    for _ in range(5):
        pace.learn(quick, timedelta())
    grown = pace.batch
    pace.learn(slow, timedelta())
    shrunk = pace.batch
    pace.learn(quick, slow)

    assert grown == 1000
    assert shrunk == 100
    assert pace.batch == 50
    assert pace.pause > timedelta(milliseconds=20)
