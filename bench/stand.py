"""What the benches of backups and restores stand on: a loaded server, a repository, and a copy of the same bytes to compare with.

The data is pgbench's (FULL=1: scale 80, 1.3 GB), as in the measurements that the targets were taken from.
Ours is always compressed and encrypted: there is one format. Its peers encrypt nothing.
"""

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg.conninfo

from bench.harness import Entry, Pair, Sample, Scale, at_most, ratio
from pgkeel.backup import Folder, Programs, Record, Tools, new_identity, recipient_of, relations_of
from pgkeel.backup.planning import Wish
from pgkeel.backup.taking import Order, Taker
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster

__all__ = ["Stand", "compared", "rounds", "stand_of", "timed"]

_SETTINGS = {"max_wal_size": "4GB", "full_page_writes": "on"}
_WAL = "pg_wal"


class Stand:
    """A loaded cluster, a repository, and a place for copies."""

    def __init__(self, cluster: Cluster, folder: Path, *, scale: int) -> None:
        """Load pgbench's tables."""
        self.cluster, self.folder = cluster, folder
        runtime = cluster.plan.runtime
        self.tools = Tools(runtime.major, runtime.minor, runtime.folder, runtime.environment)
        self.repository, self.identity = Folder("local", folder / "repository"), new_identity()
        passfile = folder / "passfile"
        passfile.write_text(f"*:*:*:postgres:{cluster.plan.superuser_password.reveal()}\n")
        passfile.chmod(0o600)
        keywords = cluster.superuser_url().keywords()
        del keywords["password"]
        self.address = psycopg.conninfo.make_conninfo("", **keywords, passfile=str(passfile))
        self.tool("pgbench", "--initialize", f"--scale={scale}", "--init-steps=dtGvp", self.address)
        self.sql("VACUUM (FREEZE, ANALYZE)")
        self.sql("CHECKPOINT")

    def take(self, wish: Wish) -> Record:
        """Take a backup with pgkeel."""
        with connect(self.cluster.superuser_url()) as connection:
            programs = Programs(client=self.tools, server=self.tools)
            order = Order(self.repository, [recipient_of(self.identity)], programs, self.address, "bench")
            return Taker(order, connection, relations=lambda: relations_of(connection)).take(wish)

    def copy(self, source: Path | None = None) -> None:
        """Copy a data directory as `cp` does, and sync it; without the WAL of the past, which no backup holds."""
        target = self.fresh("copy")
        target.mkdir()
        copied = [path for path in (source or self.cluster.data).iterdir() if source or path.name != _WAL]
        subprocess.run(["cp", "-a", *map(str, copied), str(target)], check=True)
        self.sync()

    def fresh(self, name: str) -> Path:
        """Return a folder that is not there; what a round before left in it is deleted when nobody is timed."""
        (self.folder / "left").mkdir(exist_ok=True)
        place = self.folder / name
        if place.exists():
            place.rename(self.folder / "left" / f"{time.monotonic_ns()}")
        return place

    def tidy(self) -> None:
        """Delete what was left."""
        shutil.rmtree(self.folder / "left", ignore_errors=True)

    def sync(self) -> None:
        """Wait until the disk has everything."""
        subprocess.run(["sync", "-f", str(self.folder)], check=True)

    def sql(self, statement: str) -> None:
        """Run a statement."""
        with connect(self.cluster.superuser_url()) as connection:
            connection.execute(statement.encode())

    def tool(self, name: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs."""
        argv = [str(self.tools.program(name)), *arguments]
        subprocess.run(argv, env=self.tools.variables, check=True, capture_output=True)


@contextmanager
def stand_of(scale: Scale) -> Iterator[Stand]:
    """Yield a stand that is gone after the block."""
    account = choose_account()
    runtime = find_runtime("17", account=account)
    with (
        scratch_cluster(runtime=runtime, account=account, settings=_SETTINGS) as cluster,
        tempfile.TemporaryDirectory(prefix="pgkeel-bench-") as name,
    ):
        yield Stand(cluster, Path(name), scale=scale.pick(3, 80))


def rounds(
    stand: Stand, work: Mapping[str, Callable[[], object]], runs: int, *, before: Callable[[], object] = lambda: None
) -> dict[str, list[float]]:
    """Return the seconds of each, in rounds that run all of them; the first round is thrown away.

    The order is random in one round and turned round in the next, so that each comes before each other equally often.
    """
    draw = random.Random(runs)
    times: dict[str, list[float]] = {name: [] for name in work}
    order = list(work)
    for number in range(runs + 1):
        before()
        order = order[::-1] if number % 2 else draw.sample(order, len(order))
        for name in order:
            stand.tidy()
            times[name].append(timed(work[name])())
    return {name: seconds[1:] for name, seconds in times.items()}


def timed(work: Callable[[], object]) -> Sample:
    """Return a sample of the seconds on the clock, with nothing left to write before it."""

    def sample() -> float:
        os.sync()
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return sample


def compared(name: str, figure: str, ours: list[float], theirs: list[float], against: str, target: float) -> Entry:
    """Return the figure of what ran in the same rounds."""
    pairs = [Pair(one, other) for one, other in zip(ours, theirs, strict=True)]
    return ratio(name, figure, pairs, better="lower", against=against, target=at_most(target))
