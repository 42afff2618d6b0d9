"""The rolling restored image: a data directory that is kept in recovery, one hour behind at most, where a recovery may begin.

It is an incremental backup for releases whose own ones are missing or unsound, and a restore that is tried every hour.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.recovery.programs import outcome
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.backup.recovery.tablespaces import PLACE, follow_move
from pgkeel.backup.tools import Tools
from pgkeel.core.errors import LockNotObtained
from pgkeel.core.files import write_whole
from pgkeel.core.telling import Report

__all__ = ["IMAGE", "Image", "copy_image", "forget_image", "held", "leads_to", "read_image", "write_image"]

IMAGE = "image"
_FILE, _LOCK = "image.json", "owner"
_SETTLED = "shut down in recovery"


class Image(msgspec.Struct, frozen=True):
    """How far an image is.

    Attributes:
        system: Which cluster it is of.
        timeline: Its timeline.
        point: The restore point at which it stands; "" where it is a full backup as it was restored.
        lsn: Where that point's record begins.
        start: Where the WAL begins that it replays next.
        rolled_at: UTC.
        is_ready: Whether it stands there, shut down; not while it is being rolled.
    """

    system: str
    timeline: int
    point: str
    lsn: str
    start: str
    rolled_at: datetime
    is_ready: bool


def read_image(directory: Path) -> Image | None:
    """Return how far the image of a folder is, or None where there is none that can be used."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((directory / _FILE).read_bytes(), type=Image)
    return None


def write_image(directory: Path, image: Image) -> None:
    """Note how far it is."""
    write_whole(directory / _FILE, msgspec.json.encode(image))


def forget_image(directory: Path) -> None:
    """Let nobody begin with it; the next roll makes it anew."""
    (directory / _FILE).unlink(missing_ok=True)


@contextlib.contextmanager
def held(directory: Path) -> Iterator[None]:
    """Be the only one who rolls or copies the image; the kernel lets go however this process dies.

    Raises:
        LockNotObtained: Somebody else does.
    """
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as err:
        raise LockNotObtained("the rolling image is at work", hint="wait until it is done") from err
    finally:
        os.close(descriptor)


def leads_to(image: Image | None, system: str, plan: Plan) -> bool:
    """Return whether a recovery to the plan's target may begin with the image: it stands before the target and is whole."""
    target = plan.settings.get("recovery_target_lsn")
    return (
        image is not None
        and image.is_ready
        and (image.system, image.timeline) == (system, plan.target.timeline)
        and target is not None
        and parse_lsn(image.lsn) < parse_lsn(target)
        and parse_lsn(plan.start) <= parse_lsn(image.start)
    )


def copy_image(source: Path, system: str, plan: Plan, directory: Path, tools: Tools, report: Report) -> bool:
    """Copy the image into the folder of a side server, and return whether that is sound and leads to the plan's target.

    Every page of the copy is read. An image that is broken is forgotten, and the backups are restored instead.
    """
    if not source.is_dir():
        return False
    try:
        with held(source):
            image = read_image(source)
            if image is None or not leads_to(image, system, plan):
                return False
            report(f"copying the image of {image.rolled_at:%Y-%m-%d %H:%M}Z")
            reason = _copied(source, directory, tools)
            if reason:
                forget_image(source)
    except LockNotObtained:
        return False
    if reason:
        report(f"the image is broken ({reason}); restoring the backups instead")
    return not reason


def _copied(source: Path, directory: Path, tools: Tools) -> str:
    """Return what is wrong with the copy, or ""."""
    for name in ("data", PLACE):
        shutil.rmtree(directory / name, ignore_errors=True)
    try:
        for name in ("data", PLACE):
            if (source / name).is_dir():
                shutil.copytree(source / name, directory / name, symlinks=True)
    except (OSError, shutil.Error) as err:
        return str(err)[:200]
    follow_move(directory)
    state = outcome(tools, "pg_controldata", [directory / "data"])
    if state.code or _SETTLED not in state.said:
        return f"it is not {_SETTLED}"
    read = outcome(tools, "pg_checksums", ["--check", directory / "data"])
    return " ".join(read.said.split())[:200] if read.code and "not enabled" not in read.said else ""
