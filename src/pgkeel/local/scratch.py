"""Folders for servers that live for one question: gone afterwards, and swept up by the next when a run was killed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pgkeel.local.account import Account
from pgkeel.local.alive import end_orphans
from pgkeel.local.folders import socket_folder

__all__ = ["scratch_folder"]

_OWNER = "owner"


@contextlib.contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Yield a folder that the servers' account can reach and that is gone after the block.

    Its lock is held as long as this Python lives, which is how a later run knows what nobody uses any more.

    Args:
        prefix: Of its name; what killed runs left under the same one is ended and deleted first.
    """
    _sweep(prefix)
    made = Path(tempfile.mkdtemp(prefix=".pgkeel-"))
    made.chmod(0o711)
    with (made / _OWNER).open("wb") as owner:
        fcntl.flock(owner, fcntl.LOCK_EX)
        folder = made.rename(made.with_name(made.name.replace(".pgkeel-", prefix)))
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _sweep(prefix: str) -> None:
    """End and delete what killed runs of this user left."""
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with contextlib.suppress(OSError):  # another one sweeps too, or something is mounted there: the next one tries again
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
