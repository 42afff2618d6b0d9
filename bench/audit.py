"""What the audit log costs a writer: CPU of the server's own process, and durable transactions, beside a table nobody watches."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.harness import Entry, Pair, Scale, at_least, at_most, paired, ratio
from pgkeel.core.url import Url
from pgkeel.local import choose_account, find_runtime
from pgkeel.postgres import Connection, connect
from pgkeel.security.audit import Watched, install, plan
from pgkeel.security.roles import ensure_rights, ensure_roles
from pgkeel.testing.servers import scratch_cluster

CLIENTS = 4
_UPDATE, _ROW = 100e-6, 35e-6  # seconds of CPU that an audited update and an audited row of a bulk insert may cost more
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_TABLE = (
    "(id bigint PRIMARY KEY, email bytea, username text, password_hash text, status text, version int DEFAULT 1,"
    " created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now())"
)
_FILL = (
    "(id, email, username, password_hash, status)"
    " SELECT n, sha256(n::text::bytea), 'user' || n, md5(n::text), 'active' FROM generate_series({}, {}) n"
)


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on a server of its own; durable (fsync on) for the transactions."""
    account = choose_account()
    runtime = find_runtime("17", account=account)
    with scratch_cluster(runtime=runtime, account=account, settings={"fsync": "on", "synchronous_commit": "on"}) as cluster:
        cluster.create_database("audit")
        url = cluster.superuser_url("audit")
        with connect(url) as connection:
            _lay_out(connection)
            yield from _costs(connection, scale, f"PostgreSQL {cluster.version}")
        yield _throughput(url, scale, f"PostgreSQL {cluster.version}")


def _lay_out(connection: Connection) -> None:
    ensure_roles(connection)
    for table in ("plain", "audited"):
        connection.execute(f"CREATE TABLE {table} {_TABLE}")
        connection.execute(f"INSERT INTO {table} {_FILL.format(1, 2000)}")
    ensure_rights(connection)
    install(connection, plan(connection, [Watched("public", "audited", ("password_hash",))]))
    connection.execute("VACUUM ANALYZE")


def _costs(connection: Connection, scale: Scale, server: str) -> Iterator[Entry]:
    updates, rows = scale.pick(2000, 4000), scale.pick(20_000, 50_000)
    figures = (
        (
            "update",
            "CPU of an audited update beyond that of a plain one, in units of 100 µs",
            _updates(updates),
            updates,
            _UPDATE,
        ),
        ("bulk_row", "CPU of an audited row of a bulk insert beyond a plain one, in units of 35 µs", _inserts(rows), rows, _ROW),
    )
    for name, figure, work, count, bound in figures:
        pairs = [Pair(_extra(connection, work) / count, bound) for _ in range(scale.runs)]
        yield ratio(f"audit.{name}.unix", figure, pairs, better="lower", against=f"the bound, {server}", target=at_most(1.0))


def _extra(connection: Connection, work: Callable[[Connection, str], None]) -> float:
    """Return the seconds of CPU that the server's process took more for the audited table."""
    taken = {}
    for table in ("plain", "audited"):
        before = _cpu(connection.info.backend_pid)
        work(connection, table)
        taken[table] = _cpu(connection.info.backend_pid) - before
    return max(taken["audited"] - taken["plain"], _TICK)


def _updates(count: int) -> Callable[[Connection, str], None]:
    def work(connection: Connection, table: str) -> None:
        connection.execute("SET synchronous_commit = off")
        for number in range(count):
            connection.execute(f"UPDATE {table} SET status = %s WHERE id = %s", [str(number), 1 + number % 2000], prepare=True)

    return work


def _inserts(rows: int) -> Callable[[Connection, str], None]:
    def work(connection: Connection, table: str) -> None:
        for start in range(10_000, 10_000 + rows, 1000):
            connection.execute(f"INSERT INTO {table} {_FILL.format(start, start + 999)}")
        connection.execute("SELECT 1")
        connection.execute(f"TRUNCATE {table}")
        connection.execute(f"INSERT INTO {table} {_FILL.format(1, 2000)}")

    return work


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def _throughput(url: Url, scale: Scale, server: str) -> Entry:
    seconds = scale.pick(1, 3)
    pairs = paired(
        lambda: 1 / _transactions(url, "audited", seconds), lambda: 1 / _transactions(url, "plain", seconds), 3 * scale.runs
    )
    figure = f"durable updates/s of {CLIENTS} clients on an audited table, over the same on a plain one"
    return ratio("audit.throughput.unix", figure, pairs, better="higher", against=server, target=at_least(0.85))


def _transactions(url: Url, table: str, seconds: float) -> int:
    """Return how many updates the clients had acknowledged."""
    done = [0] * CLIENTS
    with ExitStack() as until_the_end:
        connections = [until_the_end.enter_context(connect(url)) for _ in range(CLIENTS)]
        end = time.monotonic() + seconds
        threads = [
            threading.Thread(target=_client, args=(connection, table, number, end, done))
            for number, connection in enumerate(connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return sum(done)


def _client(connection: Connection, table: str, number: int, end: float, done: list[int]) -> None:
    row = 1 + number
    while time.monotonic() < end:
        row = 1 + (row + CLIENTS) % 2000
        connection.execute(f"UPDATE {table} SET version = version + 1 WHERE id = %s", [row], prepare=True)
        done[number] += 1
