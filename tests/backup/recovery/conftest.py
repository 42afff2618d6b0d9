"""A server with a history: a plain base backup, and the WAL since then in a folder."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.recovery.chain import Link, combine, give_away, prepare
from pgkeel.backup.recovery.cut import Cut
from pgkeel.backup.recovery.search import TableFiles
from pgkeel.backup.recovery.side import AUTO, apply_wal, hide_settings, limits_of, wal_from
from pgkeel.backup.recovery.wal import Wal
from pgkeel.backup.tools import Tools
from pgkeel.core.secret import Secret
from pgkeel.local import Account, Cluster, find_runtime
from pgkeel.local.launch import run
from pgkeel.postgres import Connection, connect
from pgkeel.testing.servers import FAST, scratch_folder

_WAL = "wal of 100% o'clock, $(exit 1)"  # a folder's name may mean something to PostgreSQL and to a shell


class History(msgspec.Struct, frozen=True):
    """A server, what was backed up of it, and how to write more.

    Attributes:
        cluster: The server that lives on.
        base: A plain backup, taken before everything else.
        consistent: Where that ends.
        folder: Where side servers may be made.
    """

    cluster: Cluster
    base: Path
    consistent: int
    folder: Path

    @property
    def tools(self) -> Tools:
        runtime = self.cluster.plan.runtime
        return Tools(runtime.major, runtime.minor, runtime.folder, runtime.environment)

    def sql(self, *statements: str) -> None:
        """Run each statement as a transaction of its own."""
        with connect(self.cluster.superuser_url()) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def value(self, query: str) -> object:
        with connect(self.cluster.superuser_url()) as connection:
            row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return next(iter(row.values()))

    def connect(self) -> Connection:
        return connect(self.cluster.superuser_url())

    def wal(self) -> Wal:
        """Copy what the server has written until now, the open segment included."""
        place = self.folder / _WAL
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for segment in (self.cluster.data / "pg_wal").glob("0000*"):
            shutil.copy(segment, place)
        return Wal(place, 1, self.start)

    @property
    def start(self) -> int:
        label = (self.base / "backup_label").read_text()
        return parse_lsn(label.split("START WAL LOCATION: ")[1].split()[0])


MakeSideServer = Callable[[Path, Mapping[str, str]], Cluster]


@pytest.fixture(scope="session")
def make_side(account: Account, major: str) -> MakeSideServer:
    """Opens a restored data directory as a server that nobody reaches."""

    def make(directory: Path, settings: Mapping[str, str]) -> Cluster:
        return Cluster.open(
            directory,
            runtime=find_runtime(major, account=account),
            account=account,
            superuser_password=Secret.generate(),
            name="side",
            settings={**FAST, **settings},
            access=("local all all trust",),
            listens=False,
        )

    return make


@pytest.fixture(scope="module")
def history(account: Account, major: str) -> Iterator[History]:
    """A server of the module's own, backed up while it was empty."""
    runtime = find_runtime(major, account=account)
    with scratch_folder() as folder:
        cluster = Cluster.create(
            folder / "main",
            runtime=runtime,
            account=account,
            superuser_password=Secret("x"),
            settings={**FAST, "wal_keep_size": "4GB", "max_prepared_transactions": "5"},
        )
        with cluster:
            base = folder / "base"
            url = cluster.superuser_url()
            options = [
                "--checkpoint=fast",
                "--wal-method=none",
                "-h",
                url.host,
                "-p",
                str(url.port),
                "-U",
                "postgres",
                "--no-sync",
            ]
            (folder / "backups").mkdir()
            shutil.chown(folder / "backups", account.uid, account.gid)
            base = folder / "backups" / "base"
            run(account, [runtime.program("pg_basebackup"), "-D", base, *options], environment={"PGPASSWORD": "x"})
            with connect(url) as connection:
                row = connection.execute("SELECT pg_current_wal_lsn()::text AS lsn").fetchone()
            assert row is not None
            yield History(cluster, base, parse_lsn(row["lsn"]), folder)
        cluster.destroy()


class Side:
    """Restores the history's backup beside its server."""

    def __init__(self, history: History, make: MakeSideServer, account: Account) -> None:
        self.history, self.make, self.account = history, make, account
        self.cluster: Cluster | None = None

    def restore(self, cut: Cut, *, auto: str = "") -> Cluster:
        """Return the server, paused at the cut."""
        directory = self.history.folder / "side"
        self.destroy()
        directory.mkdir()
        tools = self.history.tools
        combine([Link("base", self._copy)], directory / "links", directory / "data", tools, lambda _: None)
        prepare(directory / "data", tools.major)
        (directory / "data" / AUTO).write_text(auto)
        hide_settings(directory / "data")
        give_away(directory / "data", self.account.uid, self.account.gid)
        wal = self.history.folder / _WAL
        give_away(wal, self.account.uid, self.account.gid)
        target = cut.settings(self.history.consistent)
        archive = {"restore_command": wal_from(wal)}
        self.cluster = self.make(directory, {**limits_of(directory / "data", tools), **target, **archive})
        apply_wal(self.cluster, target, lambda _: None, patience=timedelta(minutes=1))
        return self.cluster

    def values(self, query: str) -> list[object]:
        assert self.cluster is not None
        with connect(self.cluster.superuser_url()) as connection:
            return [next(iter(row.values())) for row in connection.execute(query.encode())]

    def destroy(self) -> None:
        if self.cluster is not None:
            self.cluster.destroy()
            self.cluster = None

    def _copy(self, place: Path, *_: object) -> None:
        shutil.copytree(self.history.base, place)


@pytest.fixture
def side(history: History, make_side: MakeSideServer, account: Account) -> Iterator[Side]:
    made = Side(history, make_side, account)
    yield made
    made.destroy()


def files_of(history: History, table: str) -> TableFiles:
    with history.connect() as connection:
        row = connection.execute(
            b"SELECT '1663/' || d.oid || '/' || pg_relation_filenode(%(t)s) AS file, d.oid || '/' || %(t)s::regclass::oid AS oid"
            b" FROM pg_database AS d WHERE d.datname = current_database()",
            {"t": table},
        ).fetchone()
    assert row is not None
    return TableFiles(frozenset({row["file"]}), frozenset({row["oid"]}))
