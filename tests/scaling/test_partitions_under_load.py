"""Nobody notices a run: readers count every row all the time, writers are never refused, and kill -9 is repaired."""

import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from pgkeel.core.clock import monotonic
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.scaling import partitions
from tests.scaling.conftest import fill
from tests.scaling.test_partitions import NOW, attached, count

MONTH = "occurred_at >= '2018-05-01+00' AND occurred_at < '2018-06-01+00'"
READS = ("true", MONTH, "occurred_at < '2018-06-01+00'", "type LIKE 'vote%'")


class Crowd:
    """Threads that work from `add` on until the block ends; the first error of any is raised there."""

    def __init__(self, url: Url) -> None:
        self.url = url
        self.done = threading.Event()
        self.turns = 0
        self._errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def add(self, turn: Callable[[Connection], None], **settings: str) -> None:
        began = threading.Event()

        def work() -> None:
            try:
                with connect(self.url, settings=settings) as connection:
                    while not self.done.is_set():
                        turn(connection)
                        self.turns += 1
                        began.set()
            except BaseException as err:  # noqa: BLE001 - raised again by the block
                self._errors.append(err)
            finally:
                began.set()

        self._threads.append(threading.Thread(target=work))
        self._threads[-1].start()
        began.wait()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.done.set()
            for thread in self._threads:
                thread.join()
        if self._errors:
            raise self._errors[0]


def counter(where: str, expected: int, wrong: list[str]) -> Callable[[Connection], None]:
    """Return a reader that counts rows and writes down every count that is not the expected one."""

    def turn(connection: Connection) -> None:
        found = count(connection, "events", where)
        if found != expected:
            wrong.append(f"{where}: {found} instead of {expected}")

    return turn


@pytest.mark.majors
@pytest.mark.parametrize("isolation", ["read committed", "repeatable read"])
def test_readers_see_every_row_once_while_it_moves(db: Connection, events_db: Url, major: str, isolation: str) -> None:
    fill(db, 20_000)
    expected = {where: count(db, "events", where) for where in READS}
    wrong: list[str] = []
    crowd = Crowd(events_db)
    with crowd.at_work():
        for where in READS:
            settings = {"default_transaction_isolation": isolation}
            crowd.add(counter(where, expected[where], wrong), **settings)
        outcome = partitions.run(db, "events", now=NOW, blocks=20)

    assert wrong == []
    assert crowd.turns > 20
    assert sum(outcome.moved.values()) == 20_000
    assert count(db, "ONLY events_default") == 0


def some_day() -> datetime:
    return datetime(2018, 3, 1, tzinfo=UTC) + timedelta(days=random.uniform(0, 213))


@pytest.mark.majors
def test_rows_written_meanwhile_are_kept_exactly(db: Connection, events_db: Url, major: str) -> None:
    fill(db, 5_000)
    ids = [row["id"] for row in db.execute("SELECT id FROM events ORDER BY id").fetchall()]
    acknowledged = {"insert": 0, "delete": 0}
    amounts: dict[object, int] = {}

    def insert(connection: Connection) -> None:
        connection.execute("INSERT INTO events (occurred_at, type) VALUES (%s, 'new')", [some_day()])
        acknowledged["insert"] += 1

    def update(connection: Connection) -> None:
        row, amount = random.choice(ids[:50]), random.randint(1, 10**6)
        if connection.execute("UPDATE events SET amount = %s WHERE id = %s", [amount, row]).rowcount:
            amounts[row] = amount

    def move(connection: Connection) -> None:
        connection.execute("UPDATE events SET occurred_at = %s WHERE id = %s", [some_day(), random.choice(ids[50:100])])

    def delete(connection: Connection) -> None:
        gone = connection.execute("DELETE FROM events WHERE id = %s", [random.choice(ids[100:])])
        acknowledged["delete"] += gone.rowcount

    crowd = Crowd(events_db)
    with crowd.at_work():
        for turn in (insert, update, move, delete):
            crowd.add(turn)
        partitions.run(db, "events", now=NOW, blocks=10, deadline=timedelta(seconds=60))

    assert acknowledged["insert"] > 10
    assert acknowledged["delete"] > 10
    assert count(db, "events") == 5_000 + acknowledged["insert"] - acknowledged["delete"]
    assert count(db, "events", "type = 'new'") == acknowledged["insert"]
    found = {
        row["id"]: int(row["amount"]) for row in db.execute("SELECT id, amount FROM events").fetchall() if row["id"] in amounts
    }
    assert found == amounts
    partitions.run(db, "events", now=NOW)
    assert count(db, "ONLY events_default") == 0


def test_truncating_the_table_while_it_is_copied_brings_nothing_back(db: Connection, events_db: Url) -> None:
    fill(db, 1_000)
    batches = 0

    def truncate_in_between(_: Connection) -> None:
        nonlocal batches
        batches += 1
        if batches == 10:
            with connect(events_db, settings={"lock_timeout": "50ms"}) as other:
                try:
                    other.execute("TRUNCATE events_default")
                except psycopg.errors.LockNotAvailable:
                    batches -= 1

    partitions.run(db, "events", now=NOW, blocks=2, before_write=truncate_in_between)

    assert batches > 10
    assert count(db, "events") == 0


def test_a_column_added_while_rows_are_copied_is_in_every_partition(db: Connection, events_db: Url) -> None:
    fill(db, 1_000)
    batches = 0

    def alter_in_between(_: Connection) -> None:
        nonlocal batches
        batches += 1
        if batches == 10:
            with connect(events_db, settings={"lock_timeout": "50ms"}) as other:
                try:
                    other.execute("ALTER TABLE events ADD COLUMN note text NOT NULL DEFAULT 'x'")
                except psycopg.errors.LockNotAvailable:  # the server analyses the table at this moment
                    batches -= 1

    partitions.run(db, "events", now=NOW, blocks=2, before_write=alter_in_between)

    assert count(db, "events", "note = 'x'") == 1_000
    assert count(db, "ONLY events_default") == 0


PROGRAM = """
import sys
from datetime import UTC, datetime
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from pgkeel.scaling import partitions
with connect(Url.parse(sys.argv[1])) as connection:
    print("ready", flush=True)
    sys.stdin.readline()
    partitions.run(connection, "events", now=datetime(2024, 1, 15, tzinfo=UTC), blocks=4)
"""


@pytest.mark.faults
@pytest.mark.majors
def test_a_run_killed_at_any_instant_is_finished_by_the_next(db: Connection, events_db: Url, major: str) -> None:
    fill(db, 4_000)
    kills = 0
    for step in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, events_db.reveal()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert child.stdin is not None
        assert child.stdout is not None
        with child:
            child.stdout.readline()
            child.stdin.write(b"\n")
            child.stdin.flush()
            try:
                child.wait(timeout=0.02 + 0.04 * step)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGKILL)
                kills += 1
        assert count(db, "events") == 4_000 + step
        db.execute("INSERT INTO events (occurred_at, type) VALUES ('2018-06-06+00', 'late')")

    partitions.run(db, "events", now=NOW)

    assert kills > 0
    assert count(db, "events") == 4_012
    assert count(db, "ONLY events_default") == 0
    assert "events_2018_09" in attached(db)
    assert count(db, "pg_class", "relname LIKE '%pgkeel%'") == 0


@pytest.mark.bench
def test_the_switch_does_not_take_longer_for_more_rows(db: Connection, events_db: Url) -> None:
    fill(db, 200_000)
    longest = 0.0

    def read(connection: Connection) -> None:
        nonlocal longest
        started = monotonic()
        connection.execute("SELECT 1 FROM events WHERE occurred_at = '2018-05-05+00' LIMIT 1")
        longest = max(longest, monotonic() - started)

    crowd = Crowd(events_db)
    with crowd.at_work():
        crowd.add(read)
        partitions.run(db, "events", now=NOW)
    print(f"worst read {longest * 1000:.0f} ms over {crowd.turns} reads")
    assert count(db, "ONLY events_default") == 0
