"""Backups against a plain copy of the same bytes and against the bare tools, on the same disk, in turns.

The data directory is 45 MB (FULL=1: pgbench at scale 80, 1.3 GB). Ours is always compressed and encrypted: there is one format.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg.conninfo

from bench.harness import Entry, Sample, Scale, at_most, paired, ratio
from pgkeel.backup import Folder, Programs, Tools, new_identity, recipient_of, relations_of
from pgkeel.backup.planning import Wish
from pgkeel.backup.taking import Order, Taker
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster

_SETTINGS = {"max_wal_size": "4GB", "full_page_writes": "on"}


class _Stand:
    """A loaded cluster, a repository, and a place for copies."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        runtime = cluster.plan.runtime
        self.tools = Tools(runtime.major, runtime.minor, runtime.folder, runtime.environment)
        self.repository = Folder("local", folder / "repository")
        self.recipients = [recipient_of(new_identity())]
        passfile = folder / "passfile"
        passfile.write_text(f"*:*:*:postgres:{cluster.plan.superuser_password.reveal()}\n")
        passfile.chmod(0o600)
        keywords = cluster.superuser_url().keywords()
        del keywords["password"]
        self.address = psycopg.conninfo.make_conninfo("", **keywords, passfile=str(passfile))

    def take(self, wish: Wish) -> None:
        with connect(self.cluster.superuser_url()) as connection:
            programs = Programs(client=self.tools, server=self.tools)
            order = Order(self.repository, self.recipients, programs, self.address, "bench")
            Taker(order, connection, relations=lambda: relations_of(connection)).take(wish)

    def tool(self, name: str, *arguments: str) -> None:
        argv = [str(self.tools.program(name)), *arguments, f"--dbname={self.address}"]
        subprocess.run(argv, env=self.tools.variables, check=True, capture_output=True)

    def change(self) -> None:
        with connect(self.cluster.superuser_url()) as connection:
            connection.execute("UPDATE rows SET filler = md5(random()::text) WHERE mod(n, 50) = 0")
            connection.execute("CHECKPOINT")


def entries(scale: Scale) -> Iterator[Entry]:
    """Yield the figures."""
    runtime, account = find_runtime("17", account=choose_account()), choose_account()
    with (
        scratch_cluster(runtime=runtime, account=account, settings=_SETTINGS) as cluster,
        tempfile.TemporaryDirectory(prefix="pgkeel-bench-") as name,
    ):
        stand = _Stand(cluster, Path(name))
        _load(stand, rows=scale.pick(100_000, 10_000_000))
        runs = scale.pick(5, 3)
        copy, full = _timed(lambda: _copy(stand)), _timed(lambda: stand.take("full"))
        yield ratio(
            "backup.full.sealed",
            "full backup, zstd and age, against cp and sync",
            paired(full, copy, runs),
            better="lower",
            against="cp -a",
            target=at_most(1.6),
        )
        yield ratio(
            "backup.full.overhead",
            "full backup against pg_basebackup with server-side zstd into a directory",
            paired(full, _timed(lambda: _bare(stand)), runs),
            better="lower",
            against=f"pg_basebackup {runtime.version}",
            target=at_most(1.1),
        )
        yield ratio(
            "backup.incremental.sealed",
            "incremental backup after 2 % of the rows changed, against cp and sync of everything",
            paired(_timed(lambda: stand.take("incremental"), before=stand.change), copy, runs),
            better="lower",
            against="cp -a",
            target=at_most(1.0),
        )


def _load(stand: _Stand, *, rows: int) -> None:
    with connect(stand.cluster.superuser_url()) as connection:
        connection.execute("CREATE TABLE rows (n bigint PRIMARY KEY, filler text)")
        connection.execute(
            "INSERT INTO rows SELECT n, md5(n::text) || md5((n + 1)::text) FROM generate_series(1, %s) AS n", [rows]
        )
        connection.execute("VACUUM (FREEZE, ANALYZE) rows")
        connection.execute("CHECKPOINT")


def _timed(work: Callable[[], object], *, before: Callable[[], object] = lambda: None) -> Sample:
    def sample() -> float:
        before()
        os.sync()
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return sample


def _copy(stand: _Stand) -> None:
    target = stand.folder / "copy"
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-a", str(stand.cluster.data), str(target)], check=True)
    subprocess.run(["sync", "-f", str(target)], check=True)


def _bare(stand: _Stand) -> None:
    target = stand.folder / "bare"
    shutil.rmtree(target, ignore_errors=True)
    stand.tool(
        "pg_basebackup",
        f"--pgdata={target}",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
        "--compress=server-zstd:1",
    )
