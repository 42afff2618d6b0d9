"""A disk that is full, on either side: what it stops says so, and goes on where it was when there is room again."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from pgkeel.backup import Folder, RepositoryFailed, read_catalogue, read_index, recipient_of, verify
from pgkeel.backup.spool import Spool
from pgkeel.backup.tools import ToolFailed
from pgkeel.core.errors import KeelError
from pgkeel.core.secret import Secret
from pgkeel.local import Account, Cluster, Runtime
from pgkeel.testing.servers import FAST, scratch_cluster
from tests.backup.server import Server

pytestmark = pytest.mark.faults


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own, which only root can make."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("small disks are mounted by root only")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(server: Server) -> int:
    """Insert 1,000 rows at a time until the disk is full, and return how often that was acknowledged."""
    for number in range(1000):
        try:
            server.run(f"INSERT INTO filling SELECT {number}, repeat(md5(random()::text), 30) FROM generate_series(1, 1000)")
        except (psycopg.Error, KeelError):  # the table's file is full, or the WAL's, for which the server ends itself
            return number
    raise AssertionError("it never filled")


@pytest.fixture(scope="module")
def server(runtime: Runtime, account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with scratch_cluster(runtime=runtime, account=account) as cluster:
        yield Server(cluster, tmp_path_factory.mktemp("full"))


def test_a_full_repository_ends_the_backup_and_the_next_one_succeeds(server: Server, identity: Secret, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        repository = Folder("local", disk / "repository")
        with (
            server.taker(repository, [recipient_of(identity)]) as taker,
            pytest.raises(RepositoryFailed, match=r"repository local: .* No space left on device") as refusal,
        ):
            taker.take("full")
        assert "free space" in refusal.value.hint
        assert [stored.key for stored in repository.list()] == []

        subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
        with server.taker(repository, [recipient_of(identity)]) as taker:
            record = taker.take("full")
        assert read_catalogue(repository).records == (record,)


@pytest.mark.long
def test_a_full_disk_of_the_server_loses_nothing_that_it_acknowledged(
    runtime: Runtime, account: Account, identity: Secret, folder: Folder, place: Path, tmp_path: Path
) -> None:
    with small_disk(place / "disk", "100m") as disk, ExitStack() as left:
        settings = {**FAST, "max_wal_size": "32MB", "min_wal_size": "32MB", "wal_keep_size": "0"}
        disk.chmod(0o755)
        cluster = Cluster.create(
            disk / "one", runtime=runtime, account=account, superuser_password=Secret("x"), settings=settings
        )
        left.callback(cluster.destroy)
        cluster.start()
        server = Server(cluster, tmp_path)
        server.run("CREATE TABLE filling (n int, filler text)")
        rows = fill(server)
        with suppress(KeelError), server.taker(folder, [recipient_of(identity)]) as taker:
            taker.take("full")
        assert verify(folder).damaged == ()

        subprocess.run(["mount", "-o", "remount,size=400m", str(disk)], check=True)
        cluster.stop()
        cluster.start()
        with server.connect() as connection:
            found = connection.execute("SELECT count(*) AS n, max(n) AS last FROM filling").fetchone()
        assert found == {"n": rows * 1000, "last": rows - 1}
        with server.taker(folder, [recipient_of(identity)]) as taker:
            record = taker.take("full")
        assert read_catalogue(folder).records[-1] == record


@pytest.mark.long
def test_a_full_disk_of_the_receiver_loses_no_wal(server: Server, folder: Folder, identity: Secret, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "40m") as disk:
        spool = Spool(disk / server.system())
        spool.make(server.cluster.plan.runtime.major)
        archiver = server.archiver(spool, folder, [recipient_of(identity)])
        server.receive(spool, lambda: server.has_all(spool))
        for _ in range(3):  # two segments have room, the third has not
            server.switch()
        with pytest.raises(ToolFailed, match="no space left in"):
            server.receive(spool, lambda: False)
        while not server.has_all(spool):
            archiver.run()  # makes room
            with suppress(ToolFailed):  # it fills the disk again before it has all
                server.receive(spool, lambda: bool(spool.closed()) or server.has_all(spool))
        archiver.run()
        server.switch()
        server.receive(spool, lambda: bool(spool.closed()))
        archiver.run()

    index = read_index(folder, spool.folder.name)
    assert len(index.segments) >= 4
    assert index.gaps == ()
