"""Processes that read and write hot rows, die, and lose their cache: no read may be stale; and the test knows when one is."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pgkeel.core.url import Url
from pgkeel.local import Account, Valkey
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_valkey
from tests.cache import stress

MARK = 1500


@pytest.fixture
def valkey(account: Account) -> Iterator[Valkey]:
    with scratch_valkey(account=account) as server:
        yield server


@pytest.fixture
def orders(empty_db: Url, valkey: Valkey, tmp_path: Path) -> stress.Orders:
    with connect(empty_db) as connection:
        connection.execute("CREATE TABLE race (id integer PRIMARY KEY, grp integer NOT NULL, n bigint NOT NULL)")
        connection.execute(
            "INSERT INTO race SELECT id, id %% %s, 0 FROM generate_series(0, %s) id", (stress.GROUPS, stress.KEYS - 1)
        )
    board = tmp_path / "board"
    board.write_bytes(bytes(8 * stress.KEYS * stress.WRITERS))
    return stress.Orders(empty_db.reveal(), valkey.url().reveal(), str(board), 0, 0, 0, 0, MARK)


def start(orders: stress.Orders, **changes: object) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen([sys.executable, stress.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(msgspec.structs.replace(orders, **changes)))
    process.stdin.close()
    process.stdin = None
    return process


def finish(processes: "list[subprocess.Popen[bytes]]") -> stress.Outcome:
    total = stress.Outcome()
    for process in processes:
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 0
        one = msgspec.json.decode(said, type=stress.Outcome)
        total = stress.Outcome(
            *(mine + its for mine, its in zip(msgspec.structs.astuple(total), msgspec.structs.astuple(one), strict=True))
        )
    return total


class Doomed:
    """A writing process that dies between COMMIT and release, again and again."""

    def __init__(self, orders: stress.Orders) -> None:
        self._orders = orders
        self._is_over = threading.Event()
        self.deaths = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.is_set():
            with start(self._orders, seconds=5, seed=7, writers=2, deadly=True) as process:
                process.communicate()
                self.deaths += process.returncode == 9

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()


def run_race(orders: stress.Orders, valkey: Valkey, seconds: float) -> tuple[stress.Outcome, int]:
    doomed = Doomed(orders)
    try:
        processes = [start(orders, seconds=seconds, seed=seed, readers=8, writers=3) for seed in (1, 2)]
        time.sleep(seconds * 0.4)
        valkey.ask("FLUSHALL")
        time.sleep(seconds * 0.3)
        valkey.kill()
        valkey.start()
        outcome = finish(processes)
    finally:
        doomed.stop()
    return outcome, doomed.deaths


@pytest.mark.faults
async def test_no_read_is_stale_while_writers_die_and_the_cache_is_flushed_and_restarted(
    orders: stress.Orders, valkey: Valkey, empty_db: Url
) -> None:
    outcome, deaths = run_race(orders, valkey, 10)
    print(outcome, deaths)
    assert outcome.stale == 0
    assert outcome.hits > outcome.reads * 0.2
    assert min(outcome.writes, deaths) > 0
    time.sleep(2 * MARK / 1000)
    with connect(empty_db) as connection:
        truth = {row["id"]: row["n"] for row in connection.execute("SELECT id, n FROM race ORDER BY id")}
    async with stress.open_cache(orders.cache, MARK) as cache:
        rows = cache.rows("race", stress.Row, key=int)

        async def load(key: int) -> stress.Row:
            return stress.Row(key, truth[key])

        assert [(await rows.get(key, load)) for key in truth] == [stress.Row(*item) for item in truth.items()]


@pytest.mark.faults
def test_the_race_shows_stale_reads_when_writes_are_not_announced(orders: stress.Orders) -> None:
    outcome = finish([start(orders, seconds=6, seed=seed, readers=8, writers=3, weak=True) for seed in (1, 2)])
    print(outcome)
    assert outcome.stale > 0
