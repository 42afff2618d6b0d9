"""Servers for tests: quick, thrown away afterwards, and swept up by the next run when a run was killed."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pgkeel.core.secret import Secret
from pgkeel.local import Account, Cluster, Runtime, Valkey
from pgkeel.local.alive import end_orphans

__all__ = ["FAST", "scratch_cluster", "scratch_folder", "scratch_valkey"]

_PREFIX = "pgkeel-test-"
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
    """Yield a folder that the servers' account can reach (pytest's own are 0700) and that is gone after the block."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _sweep() -> None:
    """End and delete what killed runs of this user left: folders whose number of a Python no longer lives."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = left.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdecimal() and not _lives(int(owner)) and left.lstat().st_uid == os.getuid() and not left.is_symlink():
            for data in left.glob("*/data"):
                end_orphans(_owner_of(data), data)
            shutil.rmtree(left, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _owner_of(folder: Path) -> Account:
    found = folder.stat()
    return Account(str(found.st_uid), found.st_uid, found.st_gid, is_current=found.st_uid == os.getuid())
