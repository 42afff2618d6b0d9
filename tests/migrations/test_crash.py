"""Runners that are killed, that meet each other, and that lose their connection."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pgkeel.core.errors import Unreachable
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.migrations import Options, Source, status, up
from pgkeel.migrations.plan import plan_up
from pgkeel.migrations.source import read
from pgkeel.migrations.syntax import require_syntax
from pgkeel.postgres import Connection, Row, connect
from pgkeel.postgres.catalog import snapshot
from tests.migrations.folders import Write

MakeCluster = Callable[..., Cluster]
RUNNER = Path(__file__).parent / "run_up.py"
KILLS = 8
FILES = 40
AT_WORK = """
    SELECT FROM pg_stat_activity
    WHERE application_name = 'run_up' AND state <> 'idle' AND query ~ '^(BEGIN|CREATE|DROP|REINDEX|VACUUM)'
"""


@pytest.fixture
def forty(app: Source, write: Write) -> Source:
    """Forty migrations of every kind of unit."""
    write("20240101000000_start", "-- Up Migration\nCREATE TABLE log (n int);\n-- Down Migration\nDROP TABLE log;\n")
    for number in range(1, FILES):
        write(f"{20240101000000 + number}_step", _file(number))
    return app


def _file(number: int) -> str:
    table = f"t{number}"
    make = f"BEGIN;\nCREATE TABLE {table} (id int PRIMARY KEY, v text);\nINSERT INTO log VALUES ({number});\nCOMMIT;\n"
    fill = f"INSERT INTO {table} SELECT g, g::text FROM generate_series(1, 2000) AS g;\n"
    index = (
        f"CREATE INDEX CONCURRENTLY i{number} ON {table} (v);\nCREATE UNIQUE INDEX CONCURRENTLY u{number} ON {table} (v, id);\n"
    )
    late = f"BEGIN;\nALTER TABLE {table} ADD COLUMN late int;\nCOMMIT;\nREINDEX INDEX CONCURRENTLY i{number};\n"
    drop = f"DROP INDEX CONCURRENTLY u{number};\nVACUUM {table};\n"
    body = [make, make + fill + index, make + fill + index + late, make + index + drop][number % 4]
    return f"-- Up Migration\n{body}-- Down Migration\nDROP TABLE {table};\n"


def start(url: Url, source: Source) -> subprocess.Popen[str]:
    environment = {**os.environ, "PGKEEL_TEST_URL": url.reveal()}
    argv = [sys.executable, str(RUNNER), str(source.folder)]
    return subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_ready(runner: subprocess.Popen[str]) -> None:
    assert runner.stdout is not None
    assert runner.stdout.readline() == "ready\n"


def ledger_of(connection: Connection) -> list[Row]:
    return connection.execute(
        "SELECT source, version, checksum, done_checksum, status, unit, units FROM pgkeel.migrations ORDER BY version"
    ).fetchall()


@pytest.fixture
def clean_url(cluster: Cluster, empty_db: Url) -> Iterator[Url]:
    """A second empty database."""
    name = f"{empty_db.database}_clean"
    cluster.create_database(name)
    yield cluster.superuser_url(name)
    cluster.drop_database(name)


def killed_runners(url: Url, source: Source, kills: int, whole: float) -> int:
    """Kill runners one after the other; return how many of them were at work on a unit in that very instant.

    Two of three are watched and die in the moment in which they are seen at work; the rest at any instant, the start included.
    """
    dice, inside = random.Random(), 0
    with connect(url, application="killer") as killer:
        for number in range(kills):
            with start(url, source) as runner:
                wait_until_ready(runner)
                if number % 3 == 0:
                    time.sleep(dice.uniform(0, whole / kills))
                inside += is_at_work(killer) if number % 3 == 0 else wait_until_at_work(killer, runner)
                runner.send_signal(signal.SIGKILL)
                runner.communicate()
    return inside


def is_at_work(killer: Connection) -> bool:
    """Return whether a runner's session executes a unit, or holds its transaction open."""
    return killer.execute(AT_WORK).rowcount > 0


def wait_until_at_work(killer: Connection, runner: "subprocess.Popen[str]") -> bool:
    """Return whether the runner was seen at work before it ended."""
    while runner.poll() is None:
        if is_at_work(killer):
            return True
    return False


@pytest.mark.majors
@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [KILLS, pytest.param(60, marks=pytest.mark.long)])
def test_a_runner_killed_at_any_instant_leaves_what_the_next_one_finishes(
    kills: int, empty_db: Url, clean_url: Url, forty: Source
) -> None:
    began = time.monotonic()
    with start(clean_url, forty) as clean:
        _, errors = clean.communicate(timeout=300)
    assert clean.returncode == 0, errors

    inside = killed_runners(empty_db, forty, kills, time.monotonic() - began)
    with start(empty_db, forty) as last:
        _, errors = last.communicate(timeout=300)

    print(f"{inside} of {kills} kills hit a runner at work")
    assert last.returncode == 0, errors
    assert inside >= kills // 2
    with connect(empty_db) as killed, connect(clean_url) as unharmed:
        assert snapshot(killed) == snapshot(unharmed)
        assert ledger_of(killed) == ledger_of(unharmed)
        numbers = [row["n"] for row in killed.execute("SELECT n FROM log ORDER BY n").fetchall()]
        assert numbers == list(range(1, FILES))
        assert killed.execute("SELECT FROM pg_index WHERE NOT indisvalid").rowcount == 0


@pytest.mark.faults
def test_a_server_that_crashes_takes_the_newest_units_together_with_their_ledger_rows(
    make_cluster: MakeCluster, app: Source, write: Write
) -> None:
    names = [f"t{number}" for number in range(200)]
    for number, name in enumerate(names):
        text = f"-- Up Migration\nCREATE TABLE {name} (id int);\n-- Down Migration\nDROP TABLE {name};\n"
        write(f"{20240101000000 + number // 60 * 100 + number % 60}_{name}", text)
    cluster = make_cluster()
    cluster.start()
    url = cluster.superuser_url()
    with start(url, app) as runner:
        with connect(url) as watcher:
            while applied(watcher) == []:
                assert runner.poll() is None
        cluster.kill()
        runner.communicate()
    cluster.start()

    with connect(url) as connection:
        kept = applied(connection)
        there = tables(connection)
        up(connection, [app])
        assert kept == names[: len(kept)]
        assert sorted(there) == sorted(kept)
        assert applied(connection) == names
        assert sorted(tables(connection)) == sorted(names)


def applied(connection: Connection) -> list[str]:
    if connection.execute("SELECT to_regclass('pgkeel.migrations') AS ledger").fetchone() == {"ledger": None}:
        return []
    return [row["name"] for row in connection.execute("SELECT name FROM pgkeel.migrations ORDER BY version").fetchall()]


def tables(connection: Connection) -> list[str]:
    return [row["name"] for row in connection.execute("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")]


@pytest.mark.majors
@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", [5, pytest.param(20, marks=pytest.mark.long)])
def test_of_many_runners_one_applies_and_all_are_content(count: int, empty_db: Url, forty: Source, cluster: Cluster) -> None:
    deadlocks = logged(cluster, "deadlock detected")
    runners = [start(empty_db, forty) for _ in range(count)]
    answers = [runner.communicate(timeout=500) for runner in runners]

    assert [runner.returncode for runner in runners] == [0] * count, answers
    assert sorted(int(out.split()[-1]) for out, _ in answers) == [0] * (count - 1) + [FILES]
    assert logged(cluster, "deadlock detected") == deadlocks
    with connect(empty_db) as connection:
        assert not status(connection, [forty]).pending
        assert connection.execute("SELECT FROM pg_index WHERE NOT indisvalid").rowcount == 0


def logged(cluster: Cluster, text: str) -> int:
    """Return how often the server's log says something."""
    return sum(file.read_text(errors="replace").count(text) for file in cluster.log.iterdir())


def test_a_connection_lost_in_the_middle_is_told_and_the_next_run_goes_on(empty_db: Url, app: Source, write: Write) -> None:
    text = "-- Up Migration\nBEGIN;\nCREATE TABLE a (x int);\nSELECT pg_sleep({seconds});\nCOMMIT;\n"
    text += "-- Down Migration\nDROP TABLE a;\n"
    write("20240101000000_slow", text.format(seconds=30))
    with connect(empty_db) as victim, connect(empty_db) as killer:
        ending = threading.Thread(target=_end, args=(killer, victim.info.backend_pid))
        ending.start()
        with pytest.raises(Unreachable) as caught:
            up(victim, [app])
        ending.join()

    assert "up` again" in caught.value.hint
    write("20240101000000_slow", text.format(seconds=0))
    with connect(empty_db) as connection:
        assert len(up(connection, [app]).steps) == 1


def _end(killer: Connection, pid: int) -> None:
    while not killer.execute("SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'", [pid]).rowcount:
        time.sleep(0.02)
    killer.execute("SELECT pg_terminate_backend(%s)", [pid])


def test_a_connection_that_is_lost_while_files_are_read_is_told(empty_db: Url, app: Source, write: Write) -> None:
    write("20240101000000_a", "-- Up Migration\nCREATE TABLE a (x int);\n-- Down Migration\nDROP TABLE a;\n")
    tasks = plan_up({"app": read(app)}, {}, frozenset(), Options())
    with connect(empty_db) as victim, connect(empty_db) as killer:
        killer.execute("SELECT pg_terminate_backend(%s)", [victim.info.backend_pid])
        with pytest.raises(Unreachable) as caught:
            require_syntax(victim, tasks)

    assert "up` again" in caught.value.hint
