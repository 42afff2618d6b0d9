"""What the audit log costs a writer: CPU of the server's own process, and durable transactions, beside a table nobody watches."""

import asyncio
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from uuid import UUID

from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from bench.harness import Entry, Pair, Scale, at_least, at_most, paired, ratio
from bench.posts import fill
from pgkeel.access import Database
from pgkeel.core.config import PoolConfig
from pgkeel.core.url import Url
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.postgres import Connection, connect
from pgkeel.schema.models import Post
from pgkeel.security.audit import Watched, install, plan, seal
from pgkeel.security.roles import ensure_rights, ensure_roles
from pgkeel.testing.keys import ring_for_tests
from pgkeel.testing.servers import scratch_cluster

CLIENTS = 4
_ROWS = 2000
_TURN = 0.25  # seconds
_UPDATE, _ROW = 100e-6, 35e-6  # seconds of CPU that an audited update and an audited row of a bulk insert may cost more
_DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
QUIET = {"checkpoint_timeout": "1h", "max_wal_size": "4GB"}
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_TABLE = (
    "(id bigint PRIMARY KEY, email bytea, username varchar(50), password_hash varchar(255), status varchar(20),"
    " version int DEFAULT 1, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now())"
)
_FILL = (
    "(id, email, username, password_hash, status)"
    " SELECT n, sha256(n::text::bytea), 'user' || n, md5(n::text), 'active' FROM generate_series({}, {}) n"
)


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on a server of its own; durable (fsync on) for the transactions."""
    account = choose_account()
    runtime = find_runtime("17", account=account)
    with scratch_cluster(runtime=runtime, account=account, settings=_DURABLE | QUIET) as cluster:
        cluster.create_database("audit")
        url = cluster.superuser_url("audit")
        with connect(url) as connection:
            lay_out(connection)
            yield from _costs(connection, scale, f"PostgreSQL {cluster.version}")
        yield from _sealed_update(url, scale, f"PostgreSQL {cluster.version}")
        yield from _throughput(url, scale, f"PostgreSQL {cluster.version}")
        yield from _served(cluster, scale, f"PostgreSQL {cluster.version}")


def lay_out(connection: Connection) -> None:
    """Make the tables `plain` and `audited`, and the log that watches one of them."""
    ensure_roles(connection)
    for table in ("plain", "audited"):
        connection.execute(f"CREATE TABLE {table} {_TABLE}")
        connection.execute(f"INSERT INTO {table} {_FILL.format(1, _ROWS)}")
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
            connection.execute(f"UPDATE {table} SET status = %s WHERE id = %s", [str(number), 1 + number % _ROWS], prepare=True)

    return work


def _inserts(rows: int) -> Callable[[Connection, str], None]:
    def work(connection: Connection, table: str) -> None:
        for start in range(10_000, 10_000 + rows, 1000):
            connection.execute(f"INSERT INTO {table} {_FILL.format(start, start + 999)}")
        connection.execute("SELECT 1")
        connection.execute(f"TRUNCATE {table}")
        connection.execute(f"INSERT INTO {table} {_FILL.format(1, _ROWS)}")

    return work


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK


def _sealed_update(url: Url, scale: Scale, server: str) -> Iterator[Entry]:
    """Tell all that an audited update costs: what its writer pays, and what the agent's seal takes for each row it finds.

    The index knows nothing yet of what the bulk inserts before have just written; autovacuum sums it up within a minute.
    """
    updates = scale.pick(4000, 10_000)
    with connect(url) as writer, connect(url) as agent:
        seal(agent)
        writer.execute("VACUUM audit.record")
        pairs = [Pair(_extra(writer, _updates(updates)) / updates + _seal_share(agent), _UPDATE) for _ in range(scale.runs)]
    figure = "CPU of an audited update with its share of the seal beyond that of a plain one, in units of 100 µs"
    yield ratio("audit.update_sealed.unix", figure, pairs, better="lower", against=f"the bound, {server}", target=at_most(1.0))


def _seal_share(agent: Connection) -> float:
    """Seal as the agent does, and return the seconds of CPU a row that its server's process took."""
    before = _cpu(agent.info.backend_pid)
    rows = seal(agent)
    return (_cpu(agent.info.backend_pid) - before) / rows


def _throughput(url: Url, scale: Scale, server: str) -> Iterator[Entry]:
    """Take turns of a quarter of a second on the same four sessions, which have run both statements before.

    A new session reads the catalogues and compiles the trigger first, which is no cost of an update. The clients call libpq
    itself, for they share the processors with the server. Checkpoints are left to the end: both tables pay for one alike.
    """
    with ExitStack() as until_the_end:
        clients = [until_the_end.enter_context(connect(url)).pgconn for _ in range(CLIENTS)]
        for client, table in itertools.product(clients, ("plain", "audited")):
            client.prepare(table.encode(), f"UPDATE {table} SET version = version + 1 WHERE id = $1".encode())
        pairs = paired(partial(_turn, clients, b"audited"), partial(_turn, clients, b"plain"), 8 * scale.runs, warmups=4)
    figure = f"durable updates/s of {CLIENTS} clients on an audited table, over the same on a plain one"
    yield ratio("audit.throughput.unix", figure, pairs, better="higher", against=server, target=at_least(0.85))


def _turn(clients: Sequence[PGconn], statement: bytes) -> float:
    """Return the seconds that an update took, of all that the clients had acknowledged in their turn."""
    done, began = list[int](), time.monotonic()
    work = [threading.Thread(target=_client, args=(*one, statement, began + _TURN, done)) for one in enumerate(clients)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    return (time.monotonic() - began) / sum(done)


def _served(cluster: Cluster, scale: Scale, server: str) -> Iterator[Entry]:
    """Take the same turns as a service does: a repository's update of a post, whose actor it sends, four at once."""
    with asyncio.Runner() as runner, ExitStack() as until_the_end:
        turns = []
        for name in ("served", "unaudited"):
            cluster.create_database(name)
            url = cluster.superuser_url(name)
            _, keys = fill(url, _ROWS)
            if name == "served":
                with connect(url) as connection:
                    ensure_rights(connection)
                    install(connection, plan(connection, [Watched("public", "posts", ())]))
            database = Database(url, pool=PoolConfig(min=CLIENTS, max=CLIENTS), keys=ring_for_tests())
            runner.run(database.open())
            until_the_end.callback(_close, runner, database)
            turns.append(partial(_served_turn, runner, database, keys))
        pairs = paired(turns[0], turns[1], 8 * scale.runs, warmups=4)
    figure = f"durable updates/s of a service, {CLIENTS} at once, on an audited table, over the same on a plain one"
    yield ratio("audit.served.unix", figure, pairs, better="higher", against=server, target=at_least(0.85))


def _close(runner: asyncio.Runner, database: Database) -> None:
    runner.run(database.close())


def _served_turn(runner: asyncio.Runner, database: Database, keys: Sequence[UUID]) -> float:
    """Return the seconds that an update took, of all that were acknowledged in a turn."""
    posts, done = database.repository(Post), 0

    async def caller(own: Sequence[UUID], end: float) -> None:
        nonlocal done
        for number, key in enumerate(itertools.cycle(own)):
            if time.monotonic() >= end:
                return
            await posts.update(key, version=None, status="draft" if number % 2 else "archived")
            done += 1

    async def turn() -> None:
        end = time.monotonic() + _TURN
        with database.as_actor("user:42"):
            await asyncio.gather(*[caller(keys[number::CLIENTS], end) for number in range(CLIENTS)])

    began = time.monotonic()
    runner.run(turn())
    return (time.monotonic() - began) / done


def _client(number: int, connection: PGconn, statement: bytes, end: float, done: list[int]) -> None:
    count = 0
    while time.monotonic() < end:
        answer = connection.exec_prepared(statement, [b"%d" % (1 + (number + CLIENTS * count) % _ROWS)])
        if answer.status != ExecStatus.COMMAND_OK:
            raise RuntimeError(answer.error_message.decode())
        count += 1
    done.append(count)
