"""Make the state folder and say whose it is; turn a full disk or a closed folder into words."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from pgkeel.core.errors import KeelError, Refused, UsageError
from pgkeel.local import Failed, ServerFailed
from pgkeel.stack.layout import MARKER, Layout

__all__ = ["DiskFull", "NotOurs", "NotWritable", "delete_folder", "explained", "is_ours", "leaving", "own_folder", "prepare"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_TRAVERSE = 0o711
_LEAVING = ".leaving"
_FREE = "free some space and run the same command again; it goes on from here"
_MARKER_TEXT = "This folder is the state of a pgkeel stack; `pgkeel reset` deletes it.\n"


class DiskFull(KeelError):
    """The disk is full."""

    code = "disk_full"


class NotWritable(UsageError):
    """The folder cannot be written."""

    code = "not_writable"


class NotOurs(Refused):
    """A folder does not carry pgkeel's marker, so pgkeel neither uses nor deletes it."""

    code = "not_ours"


def prepare(layout: Layout) -> None:
    """Make the caller's part of the state folder.

    Raises:
        NotOurs: `.pgkeel` is a link, a file, or a folder that somebody else filled.
    """
    own_folder(layout.state)
    for private in (layout.secrets, layout.agent):
        private.mkdir(mode=0o700, exist_ok=True)
        private.chmod(0o700)


def own_folder(folder: Path, mode: int = _TRAVERSE) -> None:
    """Make a folder with our marker, or prove that the existing one has it."""
    folder.mkdir(parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotOurs(f"{folder} is a link or a file", hint="remove it, or set [local] directory to where it points")
    if found.st_uid != os.getuid():
        raise NotOurs(
            f"{folder} belongs to user {found.st_uid}, you are {os.getuid()}", hint="work as the user who ran `pgkeel up`"
        )
    if not is_ours(folder):
        if any(folder.iterdir()):
            raise NotOurs(f"{folder} exists and is not pgkeel's", hint="set [local] directory to a folder of its own")
        (folder / MARKER).write_text(_MARKER_TEXT, encoding="utf-8")
    folder.chmod(mode)


def is_ours(folder: Path) -> bool:
    """Return whether it is a real folder with our marker, a real file, in it."""
    try:
        return stat.S_ISDIR(folder.lstat().st_mode) and stat.S_ISREG((folder / MARKER).lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def leaving(folder: Path) -> Path:
    """Return what a folder is called while it is deleted."""
    return folder.with_name(folder.name + _LEAVING)


def delete_folder(folder: Path) -> None:
    """Rename first, so that no `up` meets a half-deleted data directory; the marker goes last, so that `reset` can go on."""
    if not folder.name.endswith(_LEAVING):
        folder = folder.rename(leaving(folder))
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARKER:
            entry.unlink()
    (folder / MARKER).unlink()
    folder.rmdir()


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Say what a full disk or a closed folder means for the user.

    Raises:
        DiskFull: Nothing was half-made that the next `up` could not finish.
        NotWritable: Permissions, or a read-only file system.
    """
    try:
        yield
    except (OSError, KeelError, psycopg.Error) as err:
        if _is_full(err):
            raise DiskFull(f"the disk of {folder} is full", hint=_FREE) from err
        if isinstance(err, OSError):
            raise _named(err, folder) from err
        raise


def _is_full(err: BaseException | None) -> bool:
    """Return whether the error, or what led to it, is a full disk; initdb and a dying server have only words for it."""
    match err:
        case None:
            return False
        case OSError() if err.errno in _FULL:
            return True
        case psycopg.errors.DiskFull():
            return True
        case Failed() | ServerFailed() if os.strerror(errno.ENOSPC) in err.message:
            return True
        case _:
            return _is_full(err.__cause__)


def _named(err: OSError, folder: Path) -> KeelError:
    place = err.filename or folder
    if err.errno in _CLOSED:
        return NotWritable(
            f"cannot write {place}: {err.strerror}",
            hint=f"make {folder.parent} writable, or set [local] directory to a folder that is",
        )
    return KeelError(f"{err.strerror or err}: {place}", hint="`pgkeel doctor` looks for the cause")
