"""Restores against a plain copy of the same bytes, on the same disk, in turns; the sync is in both.

The data directory is 45 MB (FULL=1: 9 million rows, 1.3 GB), and its newest 5 % change before the incremental backup.
Ours fetches, decrypts, expands, proves every file and combines.
Where `barman` and `rsync` are on the PATH, Barman restores the same cluster from its own plain, unproved files.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg.conninfo

from bench.harness import Entry, Sample, Scale, at_most, paired, ratio, skipped
from pgkeel.backup import Folder, Programs, Record, Tools, fetch_backup, new_identity, recipient_of, relations_of
from pgkeel.backup.planning import Wish
from pgkeel.backup.recovery.chain import Link, combine
from pgkeel.backup.taking import Order, Taker
from pgkeel.local import Cluster, choose_account, find_runtime
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster

_SETTINGS = {"max_wal_size": "4GB", "full_page_writes": "on"}


class _Stand:
    """A loaded cluster, its full and its incremental backup, and a place for restores."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
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

    def take(self, wish: Wish) -> Record:
        with connect(self.cluster.superuser_url()) as connection:
            programs = Programs(client=self.tools, server=self.tools)
            order = Order(self.repository, [recipient_of(self.identity)], programs, self.address, "bench")
            return Taker(order, connection, relations=lambda: relations_of(connection)).take(wish)

    def restore(self, *chain: Record) -> None:
        links = [Link(one.id, partial(self._fetch, one)) for one in chain]
        target = self.folder / "restored"
        combine(links, self.folder / "links", target, self.tools, lambda _: None)
        subprocess.run(["sync", "-f", str(target)], check=True)

    def copy(self) -> None:
        target = self.folder / "copy"
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.cluster.data), str(target)], check=True)
        subprocess.run(["sync", "-f", str(target)], check=True)

    def _fetch(self, record: Record, place: Path) -> None:
        fetch_backup(record, [self.repository], self.identity, place)


class _Barman:
    """Barman on the same cluster, driven as a program."""

    def __init__(self, stand: _Stand) -> None:
        self.folder, self._config = stand.folder / "barman", stand.folder / "barman.conf"
        self._environment = {**os.environ, **stand.tools.environment}
        self.folder.mkdir()
        self._config.write_text(
            f"[barman]\nbarman_user = {Path.home().owner()}\nbarman_home = {self.folder}\n"
            f"configuration_files_directory = {self.folder}/none\nlog_file = {self.folder}/log\n"
            f"[main]\ndescription = bench\nconninfo = {stand.address} dbname=postgres\nstreaming_conninfo = {stand.address}\n"
            "backup_method = postgres\nimmediate_checkpoint = true\nstreaming_archiver = on\nslot_name = barman\n"
            f"path_prefix = {stand.tools.folder}\n"
        )

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Receive WAL meanwhile, without which it takes no backup."""
        self.run("receive-wal", "--create-slot", "main")
        silent = subprocess.DEVNULL
        child = subprocess.Popen(self._argv("receive-wal", "main"), env=self._environment, stdout=silent, stderr=silent)
        try:
            self._archive()
            yield
            self._archive()
        finally:
            child.terminate()
            child.wait()

    def take(self, *options: str) -> None:
        self.run("backup", *options, "main")

    def restore(self, backup: str) -> None:
        target = self.folder / "restored"
        shutil.rmtree(target, ignore_errors=True)
        self.run("restore", "main", backup, str(target))
        subprocess.run(["sync", "-f", str(target)], check=True)

    def _archive(self) -> None:
        """Close segments until it has archived one: it never takes the newest."""
        for _ in range(3):
            self.run("switch-wal", "--force", "main")
            time.sleep(1)
            self.run("archive-wal", "main")

    def run(self, *words: str) -> None:
        subprocess.run(self._argv(*words), env=self._environment, check=True, capture_output=True)

    def _argv(self, *words: str) -> list[str]:
        return ["barman", "-c", str(self._config), *words]


def entries(scale: Scale) -> Iterator[Entry]:
    """Yield the figures."""
    account = choose_account()
    runtime = find_runtime("17", account=account)
    with (
        scratch_cluster(runtime=runtime, account=account, settings=_SETTINGS) as cluster,
        tempfile.TemporaryDirectory(prefix="pgkeel-bench-") as name,
    ):
        stand = _Stand(cluster, Path(name))
        rows = scale.pick(100_000, 9_000_000)
        _load(cluster, rows=rows)
        full = stand.take("full")
        barman = _Barman(stand) if shutil.which("barman") and shutil.which("rsync") else None
        if barman is not None:
            with barman.receiving():
                barman.take()
        with connect(cluster.superuser_url()) as connection:
            connection.execute("UPDATE rows SET filler = md5(random()::text) WHERE n > %s", [rows * 19 // 20])
        incremental = stand.take("incremental")
        copy, runs = _timed(stand.copy), scale.pick(5, 2)
        ours = _timed(lambda: stand.restore(full))
        yield ratio(
            "recover.restore.full",
            "restore of a sealed full backup, proved, against cp and sync",
            paired(ours, copy, runs),
            better="lower",
            against="cp -a",
            target=at_most(1.5),
        )
        yield ratio(
            "recover.restore.chain",
            "restore of a sealed full and incremental backup, proved and combined, against cp and sync",
            paired(_timed(lambda: stand.restore(full, incremental)), copy, runs),
            better="lower",
            against="cp -a",
            target=at_most(1.8),
        )
        yield _against_barman(ours, barman, runs)


def _against_barman(ours: Sample, barman: _Barman | None, runs: int) -> Entry:
    identity, figure = "recover.restore.barman", "restore of a sealed full backup, proved, against Barman's of a plain one"
    target = at_most(1.05)
    if barman is None:
        reason = "barman and rsync are not on the PATH"
        return skipped(identity, figure, better="lower", against="Barman", target=target, reason=reason)
    pairs = paired(ours, _timed(lambda: barman.restore("first")), runs)
    return ratio(identity, figure, pairs, better="lower", against="Barman", target=target)


def _load(cluster: Cluster, *, rows: int) -> None:
    with connect(cluster.superuser_url()) as connection:
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
