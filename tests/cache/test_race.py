"""Processes that read and write hot rows, die, and lose their cache: no read may be stale; and the test knows when one is."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pgkeel.cache.sync import Client
from pgkeel.core.errors import KeelError
from pgkeel.core.url import Url
from pgkeel.local import Account, Valkey
from pgkeel.migrations import PGKEEL, up
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_valkey
from tests.cache import stress
from tests.cache.redis_server import needs_redis, redis_server
from tests.cache.relay import Relay

ROOT = Path(__file__).parents[2]
MARK = 1500
READERS = 96
READS = int(os.environ.get("CACHE_RACE_READS", "1000000"))


@pytest.fixture
def valkey(account: Account) -> Iterator[Valkey]:
    with scratch_valkey(account=account) as server:
        yield server


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Any]:
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
def orders(empty_db: Url, tmp_path: Path) -> stress.Orders:
    with connect(empty_db) as connection:
        up(connection, [PGKEEL])
        connection.execute("CREATE TABLE race (id integer PRIMARY KEY, grp integer NOT NULL, n bigint NOT NULL)")
        connection.execute(
            "INSERT INTO race SELECT id, id %% %s, 0 FROM generate_series(0, %s) id", (stress.GROUPS, stress.KEYS - 1)
        )
    board = tmp_path / "board"
    board.write_bytes(bytes(8 * stress.KEYS * stress.WRITERS))
    return stress.Orders(empty_db.reveal(), "", str(board), 0, 0, 0, 0, MARK)


def start(orders: stress.Orders, program: str = "stress", **changes: object) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.cache.{program}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(msgspec.structs.replace(orders, **changes)))
    process.stdin.close()
    process.stdin = None
    return process


def finish(processes: "list[subprocess.Popen[bytes]]") -> stress.Outcome:
    total = stress.Outcome()
    for process in processes:
        said = process.communicate(timeout=600)[0]
        assert process.returncode == 0
        total = add(total, msgspec.json.decode(said, type=stress.Outcome))
    return total


def add(one: stress.Outcome, other: stress.Outcome) -> stress.Outcome:
    return stress.Outcome(
        *(mine + its for mine, its in zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True))
    )


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
            with start(self._orders, seconds=5, seed=2, writers=2, deadly=True) as process:
                process.communicate()
                self.deaths += process.returncode == 9

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()


def run_race(orders: stress.Orders, server: Any, seconds: float) -> tuple[stress.Outcome, int]:
    """Two processes and a doomed one, while the cache is flushed, cut off, filled up, killed and started again."""
    relay = Relay(server.port)
    cut = msgspec.structs.replace(server.url(), port=relay.port).reveal()
    doomed = Doomed(msgspec.structs.replace(orders, cache=cut))
    try:
        places = (server.url().reveal(), cut)
        processes = [  # five writers speak together, two do not
            start(orders, cache=at, seconds=seconds, seed=seed, readers=READERS, writers=5 - 3 * seed)
            for seed, at in enumerate(places)
        ]
        time.sleep(seconds * 0.3)
        server.ask("FLUSHALL")
        time.sleep(seconds * 0.15)
        fill(server)
        relay.cut()
        time.sleep(min(0.5, seconds * 0.05))
        relay.mend()
        time.sleep(seconds * 0.2)
        server.kill()
        server.start()
        outcome = finish(processes)
    finally:
        doomed.stop()
        relay.close()
    return outcome, doomed.deaths


def fill(server: Any) -> None:
    """Ask for more memory than there is, so that values are dropped."""
    client = Client(server.url(), patience=10.0)
    limit = int(client.call("INFO", "memory").split(b"maxmemory:")[1].split(b"\r")[0])
    try:
        for number in range(limit // 16_000_000 + 2):
            client.call("SET", f"{{pgkeel}}:filler{number}", b"x" * 16_000_000, "PX", 2_000)
    except KeelError:
        pass
    finally:
        client.close()


async def left_over(orders: stress.Orders, server: Any, database: Url) -> list[int]:
    """The rows that the cache has otherwise than the database, after the load and the last mark have ended."""
    time.sleep(2 * MARK / 1000)
    with connect(database) as connection:
        truth = {row["id"]: row["n"] for row in connection.execute("SELECT id, n FROM race ORDER BY id")}
    async with stress.open_cache(server.url().reveal(), MARK) as cache:
        rows = cache.rows("race", stress.Row, key=int)

        async def load(key: int) -> stress.Row:
            return stress.Row(key, truth[key])

        return [key for key in truth if await rows.get(key, load) != stress.Row(key, truth[key])]


@pytest.mark.faults
async def test_no_read_is_stale_while_writers_die_and_the_cache_is_flushed_cut_off_filled_and_restarted(
    orders: stress.Orders, valkey: Valkey, empty_db: Url
) -> None:
    outcome, deaths = run_race(orders, valkey, 8)
    print(outcome, deaths)
    assert outcome.stale == 0
    assert outcome.hits > 0
    assert outcome.writes > 0
    assert await left_over(orders, valkey, empty_db) == []


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.faults
@pytest.mark.parametrize("is_open", [False, True], ids=["closed", "open"])
@pytest.mark.parametrize("kind", ["valkey", pytest.param("redis", marks=needs_redis)])
async def test_a_million_reads_have_none_that_is_stale(
    orders: stress.Orders, request: pytest.FixtureRequest, empty_db: Url, kind: str, *, is_open: bool
) -> None:
    server = request.getfixturevalue(kind)
    total, deaths = stress.Outcome(), 0
    while total.reads < READS // (1 if kind == "valkey" and not is_open else 4):
        outcome, died = run_race(msgspec.structs.replace(orders, is_open=is_open), server, 40)
        total, deaths = add(total, outcome), deaths + died
        print(kind, is_open, total, deaths, flush=True)
        assert await left_over(orders, server, empty_db) == []
    assert total.stale == 0
    assert deaths > 0


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.faults
async def test_near_rows_are_never_old_in_the_process_that_wrote_them_and_elsewhere_for_half_a_second_at_most(
    orders: stress.Orders, valkey: Valkey, empty_db: Url
) -> None:
    outcome, deaths = run_race(msgspec.structs.replace(orders, is_near=True), valkey, 40)
    print("near", outcome, deaths)
    assert outcome.stale == 0
    assert outcome.near > 0
    assert await left_over(orders, valkey, empty_db) == []


@pytest.mark.faults
async def test_near_rows_of_threads_are_not_old_either(orders: stress.Orders, valkey: Valkey, empty_db: Url) -> None:
    near = msgspec.structs.replace(orders, is_near=True, cache=valkey.url().reveal(), seconds=5)
    programs = enumerate(("stress_sync", "stress"))
    processes = [start(near, program, seed=seed, readers=6, writers=2) for seed, program in programs]
    time.sleep(3)
    valkey.ask("FLUSHALL")
    outcome = finish(processes)
    print("threads", outcome)
    assert outcome.stale == 0
    assert outcome.near > 0
    assert outcome.writes > 0
    assert await left_over(orders, valkey, empty_db) == []


@pytest.mark.faults
@pytest.mark.parametrize("protocol", ["delete", pytest.param("marks", marks=pytest.mark.long)])
def test_the_race_shows_the_stale_reads_of_other_protocols(orders: stress.Orders, valkey: Valkey, protocol: str) -> None:
    plain = msgspec.structs.replace(orders, protocol=protocol, cache=valkey.url().reveal())
    total = stress.Outcome()
    for _ in range(1 if protocol == "delete" else 6):
        processes = [start(plain, seconds=5, seed=seed, readers=8, writers=5) for seed in (0, 1)]
        for _ in range(100 if protocol == "marks" else 0):
            time.sleep(0.04)
            valkey.ask("FLUSHALL")
        total = add(total, finish(processes))
        if total.stale:
            break
    print(protocol, total)
    assert total.stale > 0
