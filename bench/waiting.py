"""What readers feel while a migration waits for a table that somebody has been reading for 6 seconds."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench.harness import Entry, Pair, Scale, at_most, ratio
from pgkeel.core.url import Url
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.migrations import Options, Source, down, up
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster

HELD = 6.0  # seconds for which a reader keeps the table
READERS = 4
_ALLOWANCE = 0.050  # seconds beside the lock_timeout
_FILE = """-- Up Migration
BEGIN;
ALTER TABLE people ADD COLUMN late int;
COMMIT;
-- Down Migration
ALTER TABLE people DROP COLUMN late;
"""


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on a server of its own: the worst read while our runner waits, and while a plain ALTER does."""
    account = choose_account()
    runtime = find_runtime("17", account=account)
    with scratch_cluster(runtime=runtime, account=account) as cluster, tempfile.TemporaryDirectory() as place:
        url = _prepared(cluster)
        source = Source("app", Path(place))
        (source.folder / "20260101000000_late.sql").write_text(_FILE)
        pairs = [
            Pair(_worst(url, lambda: _ours(url, source)), _worst(url, lambda: _plainly(url))) for _ in range(scale.pick(3, 7))
        ]
    timeout = Options().lock_timeout.total_seconds()
    against = f"ALTER TABLE without lock_timeout behind a reader of {HELD:g} s, PostgreSQL {cluster.version}"
    figure = f"the worst read of {READERS} readers while `migrate up` waits behind a reader of {HELD:g} s"
    yield ratio("waiting.worst_read.unix", figure, pairs, better="lower", against=against, target=at_most(0.1))
    bound = [msgspec.structs.replace(pair, peer=timeout + _ALLOWANCE) for pair in pairs]
    identity, said = "waiting.bound.unix", f"{figure}, in units of lock_timeout + 50 ms"
    yield ratio(identity, said, bound, better="lower", against="the issue's bound", target=at_most(1.0))


def _prepared(cluster: Cluster) -> Url:
    cluster.create_database("bench_waiting")
    url = cluster.superuser_url("bench_waiting")
    with connect(url) as connection:
        connection.execute("CREATE TABLE people (id int PRIMARY KEY, name text)")
        connection.execute("INSERT INTO people SELECT g, 'n' || g FROM generate_series(1, 10000) AS g")
    return url


def _ours(url: Url, source: Source) -> None:
    with connect(url) as connection:
        up(connection, [source])
        down(connection, [source], Options(allow_data_loss=True))


def _plainly(url: Url) -> None:
    with connect(url) as connection:
        connection.execute("ALTER TABLE people ADD COLUMN plain int")
        connection.execute("ALTER TABLE people DROP COLUMN plain")


def _worst(url: Url, change: Callable[[], None]) -> float:
    """Return the longest read, in seconds, while a change waits behind a long reader."""
    longest = [0.0] * READERS
    stop = threading.Event()
    threads = [threading.Thread(target=_read, args=(url, longest, number, stop)) for number in range(READERS)]
    with _long_reader(url):
        for thread in threads:
            thread.start()
        change()
    stop.set()
    for thread in threads:
        thread.join()
    return max(longest)


def _read(url: Url, longest: list[float], number: int, stop: threading.Event) -> None:
    with connect(url) as connection:
        while not stop.is_set():
            start = time.perf_counter()
            connection.execute("SELECT name FROM people WHERE id = %s", [number * 100 + 1]).fetchall()
            longest[number] = max(longest[number], time.perf_counter() - start)
            time.sleep(0.001)


@contextmanager
def _long_reader(url: Url) -> Iterator[None]:
    with connect(url) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM people")
        ending = threading.Timer(HELD, lambda: connection.execute("COMMIT"))
        ending.start()
        try:
            yield
        finally:
            ending.join()
