"""What writers feel while a large table is filled: batches beside them against one UPDATE of all rows."""

import itertools
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.harness import Entry, Pair, Scale, Target, at_most, ratio
from pgkeel import migrations
from pgkeel.core.url import Url
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.migrations import backfill
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster

ROWS = 300_000
WRITERS = 3
_BOUND = 0.150  # seconds: the issue's own bound for the worst write
_FILE = """-- Up Migration
COMMENT ON COLUMN people.filled IS 'the name in capitals';
-- Down Migration
COMMENT ON COLUMN people.filled IS NULL;
-- Backfill Migration table=people
UPDATE people SET filled = upper(name) WHERE id > :lo AND id <= :hi;
"""
_numbers = itertools.count()


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on a server of its own: 300,000 rows, three writers, both ways on a fresh copy of the table each time."""
    account = choose_account()
    runtime = find_runtime("17", account=account)
    with scratch_cluster(runtime=runtime, account=account) as cluster:
        pairs = [Pair(_worst(cluster, _in_batches), _worst(cluster, _at_once)) for _ in range(scale.pick(3, 7))]
    against = f"one UPDATE of {ROWS:,} rows, PostgreSQL {cluster.version}"
    figure = f"the worst write of {WRITERS} writers while `migrate backfill run` fills {ROWS:,} rows"
    yield ratio(
        "migrations.backfill.worst_write.unix",
        f"{figure}, over the worst write during one UPDATE",
        pairs,
        better="lower",
        against=against,
        target=at_most(0.1),
    )
    yield _bounded("migrations.backfill.bound.unix", f"{figure}, in units of 150 ms", pairs, at_most(1.0))


def _bounded(identity: str, figure: str, pairs: list[Pair], target: Target) -> Entry:
    against_bound = [msgspec.structs.replace(pair, peer=_BOUND) for pair in pairs]
    return ratio(identity, figure, against_bound, better="lower", against="the issue's bound of 150 ms", target=target)


def _worst(cluster: Cluster, fill: Callable[[Url], None]) -> float:
    name = f"backfill_{next(_numbers)}"
    cluster.create_database(name)
    url = cluster.superuser_url(name)
    try:
        with connect(url) as connection:
            connection.execute(
                "CREATE TABLE people (id bigint PRIMARY KEY, name text, filled text, writes int NOT NULL DEFAULT 0)"
            )
            connection.execute("INSERT INTO people SELECT g, 'name ' || g FROM generate_series(1, %s) AS g", [ROWS])
            connection.execute("VACUUM ANALYZE people")
        with _writers(url) as waits:
            fill(url)
        return max(waits)
    finally:
        cluster.drop_database(name)


def _in_batches(url: Url) -> None:
    with tempfile.TemporaryDirectory() as place, connect(url) as connection:
        (Path(place) / "20260101000000_fill_people.sql").write_text(_FILE)
        migrations.up(connection, [migrations.Source("app", Path(place))])
        found = backfill.run(connection)
    assert [(state.status, state.rows_done) for state in found] == [("finished", ROWS)]


def _at_once(url: Url) -> None:
    with connect(url) as connection:
        connection.execute("UPDATE people SET filled = upper(name)")


@contextmanager
def _writers(url: Url) -> Iterator[list[float]]:
    """Yield the list that collects the seconds of every write until the block ends."""
    waits: list[float] = []
    end = threading.Event()
    threads = [threading.Thread(target=_write, args=(url, seed, waits, end)) for seed in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield waits
    finally:
        end.set()
        for thread in threads:
            thread.join()


def _write(url: Url, seed: int, waits: list[float], end: threading.Event) -> None:
    dice = random.Random(seed)
    with connect(url) as connection:
        while not end.is_set():
            began = time.perf_counter()
            connection.execute("UPDATE people SET writes = writes + 1 WHERE id = %s", [dice.randint(1, ROWS)])
            waits.append(time.perf_counter() - began)
            time.sleep(0.005)
