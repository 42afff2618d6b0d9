"""Write small files so that a kill or a full disk leaves the old content or the new, and nobody else can read a secret."""

import os
from pathlib import Path

from pgkeel.core.errors import UsageError

__all__ = ["PRIVATE", "require_folder_of", "sync_folder", "write_whole"]

PRIVATE = 0o600


def require_folder_of(path: Path) -> None:
    """Prove, before long work, that a file can be made where somebody wants it.

    Raises:
        UsageError: It is a folder itself, or its folder is missing, or closed to us.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", hint="name a FILE")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"{folder} does not exist", hint="make it, or name another FILE")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder} cannot be written", hint="name another FILE")


def write_whole(path: Path, content: bytes, *, mode: int = PRIVATE, keeps_owner: bool = False) -> None:
    """Replace a file at once, its mode included; a link that stands in the way is replaced, not followed.

    Args:
        path: The file; its folder exists and belongs to the caller.
        content: All of it.
        mode: Permission bits, whatever the umask says.
        keeps_owner: Whether a file that is there stays its owner's, where we may give files away.
    """
    before = path.lstat() if keeps_owner and path.is_file() else None
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)
        if before is not None and os.geteuid() == 0:
            os.fchown(file.fileno(), before.st_uid, before.st_gid)
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make what appeared in a folder, or vanished from it, survive a crash of the machine."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
