"""What a database of its own costs a test: a copy of a template through `Cluster`, against createdb and a bare connection."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.harness import Entry, Sample, Scale, at_least, at_most, paired, ratio, skipped, wall
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster

_numbers = itertools.count()
_TABLES = 7


def entries(scale: Scale) -> Iterator[Entry]:
    """Measure on a server of its own."""
    account = choose_account()
    runtime = find_runtime("17", account=account)
    with scratch_cluster(runtime=runtime, account=account) as cluster:
        _make_template(cluster)
        ours = wall(lambda: _through_cluster(cluster))
        yield ratio(
            "local.clone.connection.unix",
            "a copied database made and dropped, over the two statements on a fresh connection",
            paired(ours, wall(lambda: _through_connection(cluster)), scale.runs),
            better="lower",
            against=f"psycopg on PostgreSQL {cluster.version}",
            target=at_most(1.5),
        )
        yield _against_programs(cluster, ours, runtime.program("createdb"), scale)


def _against_programs(cluster: Cluster, ours: Sample, createdb: Path, scale: Scale) -> Entry:
    identity, figure = "local.clone.createdb.unix", "copied databases made and dropped while createdb and dropdb do one"
    against, target = f"createdb and dropdb {cluster.version}", at_least(1.0)
    if not createdb.is_file() or not createdb.with_name("dropdb").is_file():
        reason = "this release brings no createdb"
        return skipped(identity, figure, better="higher", against=against, target=target, reason=reason)
    pairs = paired(ours, wall(lambda: _through_programs(cluster, createdb)), scale.runs)
    return ratio(identity, figure, pairs, better="higher", against=against, target=target)


def _make_template(cluster: Cluster) -> None:
    cluster.create_database("bench_template")
    with connect(cluster.superuser_url("bench_template")) as connection:
        for number in range(_TABLES):
            connection.execute(f"CREATE TABLE t{number} (id bigint PRIMARY KEY, body text)")


def _through_cluster(cluster: Cluster) -> None:
    name = f"bench_{next(_numbers)}"
    cluster.create_database(name, template="bench_template")
    cluster.drop_database(name)


def _through_connection(cluster: Cluster) -> None:
    with connect(cluster.superuser_url()) as connection:
        connection.execute("CREATE DATABASE bench_floor TEMPLATE bench_template")
        connection.execute("DROP DATABASE bench_floor WITH (FORCE)")


def _through_programs(cluster: Cluster, createdb: Path) -> None:
    url = cluster.superuser_url()
    keywords = url.keywords()
    environment = {**os.environ, "PGHOST": url.host, "PGPORT": str(url.port), "PGUSER": url.user}
    environment["PGPASSWORD"] = keywords["password"]
    subprocess.run([createdb, "-T", "bench_template", "bench_program"], check=True, env=environment)
    subprocess.run([createdb.with_name("dropdb"), "--force", "bench_program"], check=True, env=environment)
