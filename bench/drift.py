"""How soon a change by hand is seen, of how many kinds, and whether the SQL that is written for it brings the schema back."""

import itertools
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from bench.harness import Entry, Pair, Scale, at_least, at_most, budget, ratio
from pgkeel.core.url import Url
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.migrations import Options, Source, up
from pgkeel.migrations.conversion import Inventory, read_inventory
from pgkeel.migrations.drift import drift_between, recall
from pgkeel.migrations.proposal import propose
from pgkeel.migrations.statement import split
from pgkeel.postgres import Connection, connect
from pgkeel.postgres.catalog import differences, snapshot
from pgkeel.schema import __file__ as schema_file
from pgkeel.testing.servers import scratch_cluster

_numbers = itertools.count()
KINDS = {
    "table added": "CREATE TABLE extra (id int PRIMARY KEY)",
    "table dropped": "DROP TABLE comments",
    "column added": "ALTER TABLE posts ADD COLUMN extra int",
    "column dropped": "ALTER TABLE posts DROP COLUMN metadata",
    "type": "ALTER TABLE users ALTER COLUMN username TYPE varchar(80)",
    "default": "ALTER TABLE users ALTER COLUMN status SET DEFAULT 'pending'",
    "not null": "ALTER TABLE posts ALTER COLUMN title DROP NOT NULL",
    "check dropped": "ALTER TABLE posts DROP CONSTRAINT posts_title_check",
    "check changed": """
        ALTER TABLE posts DROP CONSTRAINT posts_title_check;
        ALTER TABLE posts ADD CONSTRAINT posts_title_check CHECK (title <> 'x')""",
    "unique": "ALTER TABLE users DROP CONSTRAINT users_username_key",
    "foreign key": "ALTER TABLE posts DROP CONSTRAINT posts_user_id_fkey",
    "primary key": "ALTER TABLE comments DROP CONSTRAINT comments_pkey",
    "index added": "CREATE INDEX extra ON posts (title)",
    "index dropped": "DROP INDEX idx_posts_user_status",
    "index predicate": "DROP INDEX idx_users_active; CREATE INDEX idx_users_active ON users (status) WHERE status = 'pending'",
    "index expression": """
        DROP INDEX idx_posts_search;
        CREATE INDEX idx_posts_search ON posts USING gin (to_tsvector('german', title || ' ' || content))""",
    "trigger": "DROP TRIGGER posts_set_updated_at ON posts",
    "row security": "ALTER TABLE posts ENABLE ROW LEVEL SECURITY",
    "view": "CREATE OR REPLACE VIEW user_effective_roles AS SELECT id AS user_id, role::varchar(20) AS role FROM users",
    "right": "GRANT SELECT ON posts TO PUBLIC",
}


def entries(_scale: Scale) -> Iterator[Entry]:
    """Measure on a server of its own: the shipped schema, a change of each kind, each on a fresh copy."""
    account = choose_account()
    runtime = find_runtime("17", account=account)
    with scratch_cluster(runtime=runtime, account=account) as cluster:
        with connect(_database(cluster, "bench_drift")) as connection:
            up(connection, _sources(), Options())
        seen, converged, seconds, waits = 0, 0, [], []
        for kind, statement in KINDS.items():
            found, (took, waited), is_back = _one(cluster, kind, statement)
            seen, converged = seen + found, converged + is_back
            seconds.append(took)
            waits.append(waited)
    print(f"  on the clock: median {statistics.median(waits) * 1000:.0f} ms, worst {max(waits) * 1000:.0f} ms")
    against = f"{len(KINDS)} kinds of change to the shipped schema, PostgreSQL {cluster.version}"
    yield _share("drift.seen.unix", "kinds of change by hand that are seen", seen, 1.0, against)
    yield _share("drift.converges.unix", "kinds for which the written SQL brings the schema back", converged, 0.95, against)
    figure = "CPU of ours and of the server's session together until a change is seen"
    yield budget("drift.cpu.unix", figure, seconds, against=against, target=at_most(0.050))


def _share(identity: str, figure: str, found: int, target: float, against: str) -> Entry:
    pairs = [Pair(1.0, found / len(KINDS))]
    return ratio(identity, figure, pairs, better="higher", against=against, target=at_least(target))


def _sources() -> tuple[Source, ...]:
    return (Source("reference", Path(schema_file).parent / "migrations"),)


def _database(cluster: Cluster, name: str, template: str | None = None) -> Url:
    cluster.create_database(name, template=template)
    return cluster.superuser_url(name)


def _one(cluster: Cluster, kind: str, statement: str) -> tuple[bool, tuple[float, float], bool]:
    """Return whether a change is seen, in how many seconds of CPU and of the clock, and whether its SQL converges."""
    name = f"drift_{next(_numbers)}"
    with connect(_database(cluster, name, "bench_drift")) as connection:
        wanted = read_inventory(connection)
        connection.execute(statement.encode())
        start, began = _cpu(connection), time.perf_counter()
        expected = recall(connection, ("public",), ("reference",))
        found = drift_between(expected, snapshot(connection)) if expected is not None else ()
        took = (_cpu(connection) - start, time.perf_counter() - began)
        is_back = _converges(connection, wanted)
    cluster.drop_database(name)
    if not (found and is_back):
        print(f"  {kind}: {'seen' if found else 'not seen'}, {'converges' if is_back else 'does not converge'}")
    return bool(found), took, is_back


def _cpu(connection: Connection) -> float:
    """Return the CPU seconds that this process and the server's session have used."""
    fields = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _converges(connection: Connection, wanted: Inventory) -> bool:
    proposal = propose(read_inventory(connection), wanted)
    text = proposal.text.partition("-- Up Migration")[2].partition("-- Down Migration")[0]
    for statement in split(text, 0, len(text)):
        if not statement.starts_with("BEGIN", "COMMIT"):
            connection.execute(statement.text.encode())
    return not differences(wanted.snapshot, read_inventory(connection).snapshot)
