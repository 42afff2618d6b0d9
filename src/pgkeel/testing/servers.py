"""Servers for tests: quick, thrown away afterwards, and swept up by the next run when a run was killed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pgkeel.core.secret import Secret
from pgkeel.local import Account, Cluster, Runtime, Valkey
from pgkeel.local.alive import end_orphans
from pgkeel.local.folders import socket_folder

__all__ = ["FAST", "scratch_cluster", "scratch_folder", "scratch_valkey"]

_PREFIX = "pgkeel-test-"
_OWNER = "owner"
# the machine may not crash, the server may: what it has committed survives `kill`
FAST: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_min_duration_statement": "1s",
}


@contextlib.contextmanager
def scratch_cluster(*, runtime: Runtime, account: Account, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Yield a running cluster that is gone after the block."""
    with scratch_folder() as folder:
        cluster = Cluster.create(
            folder / "postgres",
            runtime=runtime,
            account=account,
            superuser_password=Secret.generate(),
            name="test",
            settings={**FAST, **(settings or {})},
        )
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.destroy()


@contextlib.contextmanager
def scratch_valkey(*, account: Account) -> Iterator[Valkey]:
    """Yield a running Valkey that is gone after the block."""
    with scratch_folder() as folder:
        valkey = Valkey.create(folder / "valkey", account=account, password=Secret.generate())
        try:
            valkey.start()
            yield valkey
        finally:
            valkey.destroy()


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a folder that the servers' account can reach (pytest's own are 0700) and that is gone after the block.

    Its lock is held as long as this Python lives, which is how a later run knows what nobody uses any more.
    """
    _sweep()
    made = Path(tempfile.mkdtemp(prefix=".pgkeel-"))
    made.chmod(0o711)
    with (made / _OWNER).open("wb") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        folder = made.rename(made.with_name(made.name.replace(".pgkeel-", _PREFIX)))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _sweep() -> None:
    """End and delete what killed runs of this user left."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # another worker sweeps too
            if left.lstat().st_uid == os.getuid() and not left.is_symlink() and not _is_used(left):
                for data in left.glob("*/data"):
                    end_orphans(_owner_of(data), data)
                    shutil.rmtree(socket_folder(data.parent), ignore_errors=True)
                shutil.rmtree(left)


def _is_used(folder: Path) -> bool:
    with (folder / _OWNER).open("rb") as owner:
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _owner_of(folder: Path) -> Account:
    found = folder.stat()
    return Account(str(found.st_uid), found.st_uid, found.st_gid, is_current=found.st_uid == os.getuid())
