"""A disk that is full, on either side: what it stops says so, and goes on where it was when there is room again."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pgkeel.backup import Folder, RepositoryFailed, read_catalogue, read_index, recipient_of
from pgkeel.backup.spool import Spool
from pgkeel.backup.tools import ToolFailed
from pgkeel.core.secret import Secret
from pgkeel.local import Account, Runtime
from pgkeel.testing.servers import scratch_cluster
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
