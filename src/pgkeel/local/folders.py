"""Folders that the servers' account can reach, and that nobody else prepared for us."""

import contextlib
import hashlib
import os
import stat
from pathlib import Path

from pgkeel.core.errors import Refused, UsageError
from pgkeel.local.account import Account
from pgkeel.local.launch import can

__all__ = ["FolderNotWritable", "UnsafeFolder", "make_folder", "private_folder", "reachable", "runtime_folder", "socket_folder"]

_ROOT_STATE = Path("/var/lib/pgkeel")
_TEMPORARY = Path("/tmp")  # noqa: S108 - what is used of it is proved by lstat  # nosec B108


class UnsafeFolder(Refused):
    """A folder that must be ours is a link or belongs to somebody else."""

    code = "unsafe_folder"


class FolderNotWritable(UsageError):
    """A folder cannot be written."""

    code = "folder_not_writable"


def make_folder(folder: Path, mode: int = 0o755) -> Path:
    """Create a folder and its parents where they are missing, whatever the umask, and return it.

    Raises:
        FolderNotWritable: The file system or the permissions refuse it.
    """
    try:
        missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for created in missing:
            created.chmod(mode)
    except OSError as err:
        raise FolderNotWritable(
            f"cannot create {folder}: {err.strerror}", hint="choose another folder, or correct its permissions"
        ) from err
    return folder


def private_folder(folder: Path, account: Account) -> Path:
    """Create a folder that only the account can enter, or prove that the existing one is exactly that.

    Raises:
        UnsafeFolder: It is a symbolic link, no folder, or owned by somebody else; nothing was followed or changed.
        FolderNotWritable: It cannot be created.
    """
    try:
        folder.mkdir(mode=0o700)
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    except FileExistsError:
        _finish(folder, account)
    except OSError as err:
        raise FolderNotWritable(f"cannot create {folder}: {err.strerror}", hint="correct the permissions of its parent") from err
    _require_private(folder, account)
    return folder


def _finish(folder: Path, account: Account) -> None:
    """Give the account a folder that whoever was killed behind `mkdir` has left: ours, empty, and closed to all others."""
    found, ours = folder.lstat(), os.geteuid()
    is_begun = stat.S_ISDIR(found.st_mode) and found.st_uid == ours != account.uid and stat.S_IMODE(found.st_mode) == 0o700
    if is_begun and not any(folder.iterdir()):
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)


def _require_private(folder: Path, account: Account) -> None:
    found = folder.lstat()
    hint = f"remove it if it is nobody's: rm -r {folder}"
    if stat.S_ISLNK(found.st_mode) or not stat.S_ISDIR(found.st_mode):
        raise UnsafeFolder(f"{folder} is a link or a file, where a folder of our own must be", hint=hint)
    if found.st_uid != account.uid:
        raise UnsafeFolder(f"{folder} belongs to user {found.st_uid}, not to {account.name} ({account.uid})", hint=hint)
    if stat.S_IMODE(found.st_mode) != 0o700:
        raise UnsafeFolder(f"others can enter {folder}", hint=f"chmod 700 {folder}")


def socket_folder(directory: Path) -> Path:
    """Return the short path of the sockets of a server kept in `directory`.

    A socket's path may have about 100 characters (`sockaddr_un`), so it never lies below the project. For root it is below
    `/run`, where nobody else can prepare a trap; a user's runtime folder vanishes at logout, so everybody else has `/tmp`.
    """
    name = "pgkeel-" + hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:12]
    run = Path("/run")
    return (run if os.getuid() == 0 and os.access(run, os.W_OK) else _TEMPORARY) / name


def runtime_folder() -> Path:
    """Return where unpacked servers are kept, for all projects of this user; `PGKEEL_RUNTIME` replaces it.

    Raises:
        UnsafeFolder: This user has no home, and somebody else prepared the folder in its stead.
    """
    chosen = os.environ.get("PGKEEL_RUNTIME")  # noqa: TID251 - local may read the environment
    if chosen:
        return Path(chosen).resolve()
    return (_ROOT_STATE if os.getuid() == 0 else _user_state()) / "runtime"


def _user_state() -> Path:
    """Return the user's folder for pgkeel; neither HOME nor a home need exist."""
    data = os.environ.get("XDG_DATA_HOME")  # noqa: TID251 - local may read the environment
    if data:
        return Path(data) / "pgkeel"
    with contextlib.suppress(RuntimeError):  # neither HOME nor an entry in passwd
        home = Path("~").expanduser()
        if home.is_dir() and os.access(home, os.W_OK):
            return home / ".local" / "share" / "pgkeel"
    own = Account(str(os.getuid()), os.getuid(), os.getgid(), is_current=True)
    return private_folder(_TEMPORARY / f"pgkeel-{os.getuid()}", own)


def reachable(state: Path, account: Account) -> Path:
    """Return `state` when the account can reach it, else a folder below `/var/lib/pgkeel` that belongs to the same project.

    A project in root's own 0700 home is the usual reason.
    """
    make_folder(state)
    if account.is_current or can(account, "-x", state):
        return state
    return make_folder(_ROOT_STATE / hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:12])
