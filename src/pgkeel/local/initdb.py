"""Make a data directory, all of it or nothing: beside its place, then renamed."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pgkeel.core.errors import Refused
from pgkeel.local.account import Account
from pgkeel.local.alive import end_orphans
from pgkeel.local.folders import FolderNotWritable
from pgkeel.local.launch import Failed, run
from pgkeel.local.plan import Plan
from pgkeel.local.runtime import Runtime

__all__ = ["OtherMajor", "arriving", "has_c_utf8", "initialise", "major_of", "require_major", "secret_file"]

_ARRIVING = ".arriving-"


class OtherMajor(Refused):
    """The data directory belongs to another major version."""

    code = "other_major"


def initialise(plan: Plan, data: Path) -> None:
    """Make the data directory with its superuser `postgres`.

    What a killed run left behind is removed first; the rename at the end is the marker of a complete one.

    Raises:
        Failed: initdb said no.
        FolderNotWritable: The place cannot be written.
    """
    runtime, account, password = plan.runtime, plan.account, plan.superuser_password.reveal()
    with arriving(data, account) as folder, secret_file(data.parent, account, password) as file:
        options = ["--username=postgres", f"--pwfile={file}", "--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums"]
        options += _locale(runtime, account)
        if plan.settings.get("fsync") == "off":
            options.append("--no-sync")
        run(account, [runtime.program("initdb"), f"--pgdata={folder}", *options], environment=runtime.environment, folder=folder)


@contextlib.contextmanager
def arriving(data: Path, account: Account) -> Iterator[Path]:
    """Yield an empty folder of the account beside `data` that becomes `data` when the block ends well.

    Raises:
        FolderNotWritable: The place cannot be written.
    """
    try:
        _clear(data.parent, account)
        folder = Path(tempfile.mkdtemp(prefix=_ARRIVING, dir=data.parent))
        os.chown(folder, account.uid, account.gid)
    except OSError as err:
        raise FolderNotWritable(
            f"cannot write {data.parent}: {err.strerror}", hint="correct its permissions, or free space"
        ) from err
    try:
        yield folder
        folder.rename(data)
        _persist(data.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear(parent: Path, account: Account) -> None:
    """Remove what killed runs left; the program that they ran may still be at work in there."""
    for left in parent.glob(f"{_ARRIVING}*"):
        if left.is_symlink() or not left.is_dir():
            left.unlink()
        else:
            end_orphans(account, left)
            shutil.rmtree(left)


@contextlib.contextmanager
def secret_file(parent: Path, account: Account, text: str) -> Iterator[Path]:
    """Yield a file that only the account reads, and that is gone afterwards.

    Raises:
        FolderNotWritable: The place cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=_ARRIVING, dir=parent)  # 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchown(file.fileno(), account.uid, account.gid)
            file.write(text)
    except OSError as err:
        raise FolderNotWritable(f"cannot write {parent}: {err.strerror}", hint="correct its permissions, or free space") from err
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def major_of(data: Path) -> int | None:
    """Return the major of a data directory, or None when there is none."""
    try:
        return int((data / "PG_VERSION").read_text(encoding="ascii"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def require_major(data: Path, runtime: Runtime) -> None:
    """Prove that the runtime can open the data directory.

    Raises:
        OtherMajor: It was made by another major.
        Refused: It is there but is no data directory.
    """
    major = major_of(data)
    if major is None:
        raise Refused(f"{data} is not a PostgreSQL data directory", hint="move it away; `pgkeel up` makes a new one")
    if major != runtime.major:
        raise OtherMajor(
            f"{data} was made by PostgreSQL {major}, but local.postgres is {runtime.major}",
            hint=f'set local.postgres = "{major}", or dump, `pgkeel reset`, and load it into {runtime.major}',
        )


def _locale(runtime: Runtime, account: Account) -> list[str]:
    """Return initdb's options for Unicode order by code point: builtin from 17 on, libc's C.UTF-8 or C before."""
    libc = "C.UTF-8" if has_c_utf8(account) else "C"
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if runtime.major >= 17 else []
    return [*builtin, f"--locale={libc}", "--lc-messages=C"]


def has_c_utf8(account: Account) -> bool:
    """Return whether the machine's C library knows the locale C.UTF-8."""
    try:
        known = run(account, ["locale", "-a"], timeout=10).split()
    except Failed:
        return False
    return not {"C.utf8", "C.UTF-8"}.isdisjoint(known)


def _persist(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
