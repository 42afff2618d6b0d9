"""Backups against a plain copy of the same bytes and against the bare tools, on the same disk, in turns.

The data directory is 45 MB (FULL=1: pgbench at scale 80, 1.3 GB). Ours is always compressed and encrypted: there is one format.
"""

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg.conninfo

from bench.barman import barman_of
from bench.harness import Entry, Pair, Sample, Scale, at_most, ratio, skipped
from pgkeel.backup import Folder, Programs, Tools, new_identity, recipient_of, relations_of
from pgkeel.backup.planning import Wish
from pgkeel.backup.taking import Order, Taker
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster

_Times = Mapping[str, list[float]]
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

    def prepare_bare_incremental(self) -> None:
        shutil.copy(self.folder / "bare/backup_manifest", self.folder / "manifest")

    def change(self) -> None:
        with connect(self.cluster.superuser_url()) as connection:
            connection.execute("UPDATE rows SET filler = md5(random()::text) WHERE mod(n / 1000, 12) = 0 AND mod(n, 4) = 0")
            connection.execute("CHECKPOINT")


def entries(scale: Scale) -> Iterator[Entry]:
    """Yield the figures; each round runs all that is compared, so that a busy machine slows all of them."""
    runtime, account = find_runtime("17", account=choose_account()), choose_account()
    with (
        scratch_cluster(runtime=runtime, account=account, settings=_SETTINGS) as cluster,
        tempfile.TemporaryDirectory(prefix="pgkeel-bench-") as name,
    ):
        stand = _Stand(cluster, Path(name))
        _load(stand, rows=scale.pick(100_000, 10_000_000))
        with barman_of(stand.tools, stand.address, stand.folder) as barman:
            work = {"ours": lambda: stand.take("full"), "copy": lambda: _copy(stand), "bare": lambda: _bare(stand)}
            work |= {"barman": barman.full} if barman else {}
            full = _rounds(work, scale.pick(5, 3))
            stand.prepare_bare_incremental()
            work = {"ours": lambda: stand.take("incremental"), "bare": lambda: _bare(stand, incremental=True)}
            work |= {"barman": barman.incremental} if barman else {}
            increments = _rounds(work, scale.pick(5, 3), before=stand.change)
        yield from _figures(full, increments, runtime.version)


def _figures(full: _Times, increments: _Times, version: str) -> Iterator[Entry]:
    copy = full["copy"]
    yield _entry("full.sealed", "full backup, zstd and age, against cp and sync", full["ours"], copy, "cp -a", 1.6)
    bare = f"pg_basebackup {version}"
    yield _entry(
        "full.overhead", "full backup against pg_basebackup with the server's zstd", full["ours"], full["bare"], bare, 1.1
    )
    figure = "incremental backup after 2 % of the rows, in a twelfth of the pages, changed"
    yield _entry("incremental.sealed", f"{figure}, against cp and sync of everything", increments["ours"], copy, "cp -a", 1.0)
    yield _entry("incremental.overhead", f"{figure}, against the bare tool", increments["ours"], increments["bare"], bare, 1.1)
    if "barman" not in full:
        for name in ("full", "incremental", "sum"):
            why = "no barman program: set BARMAN to one"
            yield skipped(f"backup.{name}.barman", f"{name}", better="lower", against="Barman", target=at_most(1.05), reason=why)
        return
    barman = "Barman, server-side zstd"
    yield _entry("full.barman", "full backup", full["ours"], full["barman"], barman, 1.05)
    yield _entry("incremental.barman", figure, increments["ours"], increments["barman"], barman, 1.05)
    ours = [sum(pair) for pair in zip(full["ours"], increments["ours"], strict=True)]
    theirs = [sum(pair) for pair in zip(full["barman"], increments["barman"], strict=True)]
    yield _entry("sum.barman", "full and incremental backup together", ours, theirs, barman, 1.0)


def _entry(name: str, figure: str, ours: list[float], theirs: list[float], against: str, target: float) -> Entry:
    pairs = [Pair(one, other) for one, other in zip(ours, theirs, strict=True)]
    return ratio(f"backup.{name}", figure, pairs, better="lower", against=against, target=at_most(target))


def _rounds(
    work: Mapping[str, Callable[[], object]], runs: int, *, before: Callable[[], object] = lambda: None
) -> dict[str, list[float]]:
    """Return the seconds of each, in rounds that run all of them in an order of their own; the first round is thrown away."""
    order = random.Random(runs)
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(runs + 1):
        before()
        for name in order.sample(list(work), len(work)):
            times[name].append(_timed(work[name])())
    return {name: seconds[1:] for name, seconds in times.items()}


def _load(stand: _Stand, *, rows: int) -> None:
    with connect(stand.cluster.superuser_url()) as connection:
        connection.execute("CREATE TABLE rows (n bigint PRIMARY KEY, filler text)")
        connection.execute(
            "INSERT INTO rows SELECT n, md5(n::text) || md5((n + 1)::text) FROM generate_series(1, %s) AS n", [rows]
        )
        connection.execute("VACUUM (FREEZE, ANALYZE) rows")
        connection.execute("CHECKPOINT")


def _timed(work: Callable[[], object]) -> Sample:
    def sample() -> float:
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


def _bare(stand: _Stand, *, incremental: bool = False) -> None:
    target = stand.folder / ("bare-incremental" if incremental else "bare")
    shutil.rmtree(target, ignore_errors=True)
    stand.tool(
        "pg_basebackup",
        f"--pgdata={target}",
        "--format=tar",
        "--wal-method=fetch",
        "--checkpoint=fast",
        "--compress=server-zstd:1",
        *([f"--incremental={stand.folder}/manifest"] if incremental else []),
    )
