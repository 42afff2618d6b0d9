"""Files that a server reads: written whole or not at all, with the owner and mode that they need."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pgkeel.local.account import Account
from pgkeel.local.folders import FolderNotWritable

__all__ = ["locked", "open_log", "tail", "write_file", "write_private"]


def write_file(path: Path, text: str | bytes) -> None:
    """Write a file that everybody may read.

    Raises:
        FolderNotWritable: The place cannot be written.
    """
    _replace(path, text, mode=0o644)


def write_private(path: Path, text: str | bytes, account: Account, *, shared: bool = False) -> None:
    """Write a file that only the account reads.

    Args:
        path: Where.
        text: What.
        account: Who reads it.
        shared: Root keeps it and the account's group reads it (0640), as PostgreSQL allows for keys.

    Raises:
        FolderNotWritable: The place cannot be written.
    """
    if account.is_current or not shared:
        _replace(path, text, mode=0o600, uid=account.uid, gid=account.gid)
    else:
        _replace(path, text, mode=0o640, uid=0, gid=account.gid)


def _replace(path: Path, text: str | bytes, *, mode: int, uid: int = -1, gid: int = -1) -> None:
    try:
        descriptor, name = tempfile.mkstemp(prefix=".arriving-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode() if isinstance(text, str) else text)
                file.flush()
                os.fchown(descriptor, uid, gid)
                os.fchmod(descriptor, mode)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink()
            raise
    except OSError as err:
        raise FolderNotWritable(f"cannot write {path}: {err.strerror}", hint="correct its permissions, or free space") from err


def tail(path: Path, lines: int = 20) -> str:
    """Return the last lines of a log, or "" when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 16384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a directory's lock, so that two runs do not start or make the same server; a killed holder lets go.

    Raises:
        FolderNotWritable: The place cannot be written.
    """
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise FolderNotWritable(f"cannot write {directory}: {err.strerror}", hint="correct its permissions") from err
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_log(path: Path) -> IO[bytes]:
    """Open a file for what a server says before it has a log of its own; the last run's text goes.

    Raises:
        FolderNotWritable: The place cannot be written.
    """
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb")
    except OSError as err:
        raise FolderNotWritable(f"cannot write {path}: {err.strerror}", hint="correct its permissions, or free space") from err
