"""Make a data directory out of a backup, or of a full one and the incremental ones on it; each link is proved before it is used.

After `pg_combinebackup` it is too late: the combined directory's manifest is reckoned over whatever bytes were there.
"""

import os
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import msgspec

from pgkeel.backup.recovery.errors import NotRestorable, VerificationFailed
from pgkeel.backup.recovery.listing import Sources
from pgkeel.backup.recovery.manifest import NotAsListed, Proved
from pgkeel.backup.recovery.overlay import Laid, UnknownForm
from pgkeel.backup.recovery.programs import outcome
from pgkeel.backup.tools import Tools, tool
from pgkeel.backup.unpacking import Files, Written
from pgkeel.core.log import get_logger
from pgkeel.core.telling import Report

__all__ = ["Bring", "Link", "add_own_wal", "combine", "give_away", "prepare", "require_room"]

log = get_logger(__name__)

Bring = Callable[[Path, Files, Callable[[], None]], None]
_MARGIN = 1.1
_AT_ONCE = 2
_FULL_AND_INCREMENTAL = 2
_LOOK = 0.2  # seconds
_SIGNAL = "recovery.signal"
_STALE = ("postmaster.pid", "standby.signal", "tablespace_map.old", "backup_label.old")


class Link(msgspec.Struct, frozen=True):
    """One backup of a chain.

    Attributes:
        name: Its id.
        bring: Makes a missing directory and hands what is in it to the second argument, the manifest first. A tool of its own
            may unpack into the directory instead; it is proved there. The third raises when the work is to end, and is
            asked often.
        is_proved: Whether another tool has put it together, whose manifest is not one of these bytes.
    """

    name: str
    bring: Bring
    is_proved: bool = False


def require_room(folder: Path, wanted: int) -> None:
    """Prove that a file system has room for a restore.

    Raises:
        NotRestorable: It has not; nothing was written.
    """
    free = shutil.disk_usage(folder).free
    if free < wanted * _MARGIN:
        raise NotRestorable(
            f"{folder} has {free // 2**20} MiB free, and the restore needs {int(wanted * _MARGIN) // 2**20}",
            hint="free space, or restore elsewhere with --into DIR",
        )


def combine(links: Sequence[Link], work: Path, data: Path, tools: Tools, report: Report) -> Sources | None:
    """Make `data` out of the links, the full one first; what an earlier attempt left is removed.

    Returns what its manifest is to be made of, or None where it has one already.

    Args:
        links: One full backup, and what builds on it in its order.
        work: A folder of our own for the links.
        data: The data directory to make; its parent is there.
        tools: Those of the server's major: `pg_combinebackup` refuses any other.
        report: Hears each step.

    Raises:
        VerificationFailed: A link is not what was backed up.
        Damaged: A part of it is whole in no repository.
    """
    shutil.rmtree(data, ignore_errors=True)
    laid = _brought(links, work, tools, report)
    sources = laid.finish() if laid is not None else None
    if laid is not None or len(links) == 1:
        (work / "0").rename(data)
    else:
        report("combining the full backup and the incremental ones")
        places = [work / f"{number}" for number in range(len(links))]
        tool(tools, "pg_combinebackup", "--no-sync", *places, f"--output={data}")
    shutil.rmtree(work)
    return sources


def _brought(links: Sequence[Link], work: Path, tools: Tools, report: Report) -> Laid | None:
    """Bring the links, and return what laid one over the other, or None where each lies in a folder of its own."""
    try:
        _restart(work)
        return _bring(links, work, tools, report, is_laid=len(links) == _FULL_AND_INCREMENTAL)
    except UnknownForm as unknown:
        log.info("restore.left_to_postgresql", file=str(unknown))
        _restart(work)
        return _bring(links, work, tools, report, is_laid=False)


def _restart(work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)


def _bring(links: Sequence[Link], work: Path, tools: Tools, report: Report, *, is_laid: bool) -> Laid | None:
    """Unpack and prove the links, two at once, each into a folder, or the second one over the first; nothing is synced."""
    state = _State()
    laid = Laid(work / "0", work / "1", tools, state.wait) if is_laid else None

    def run(number: int, link: Link) -> None:
        report(f"restoring {link.name}")
        place = work / f"{number}"
        _bring_one(link, place, laid if laid is not None and number else Written(place), state.check, tools)
        if not number:
            state.is_whole.set()

    with ThreadPoolExecutor(_AT_ONCE, "restore") as pool:
        try:
            for one in as_completed([pool.submit(run, number, link) for number, link in enumerate(links)]):
                one.result()
        except BaseException:
            state.has_failed.set()
            raise
    return laid if laid is not None and laid.has_begun else None


class _State:
    """What those who bring the links of a chain must know of each other."""

    def __init__(self) -> None:
        self.has_failed, self.is_whole = threading.Event(), threading.Event()

    def check(self) -> None:
        if self.has_failed.is_set():
            raise NotRestorable("another backup of the chain is not to be had")

    def wait(self) -> None:
        """Return when the full backup is whole."""
        while not self.is_whole.wait(_LOOK):
            self.check()


def _bring_one(link: Link, place: Path, files: Files, check: Callable[[], None], tools: Tools) -> None:
    if link.is_proved:
        link.bring(place, files, check)
        return
    proved = Proved(files)
    try:
        link.bring(place, proved, check)
        proved.require_whole()
    except NotAsListed as err:
        raise _unproved(link, err.message) from err
    if not proved.has_begun:
        _prove(link, place, tools)


def prepare(data: Path, major: int) -> None:
    """Make a restored data directory ready to replay WAL from an archive.

    Raises:
        NotRestorable: It is of another major.
    """
    found = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    if found != str(major):
        raise NotRestorable(f"the backup is of PostgreSQL {found}, the programs are {major}", hint=f"`pgkeel local add {found}`")
    for name in _STALE:
        (data / name).unlink(missing_ok=True)
    (data / _SIGNAL).touch(mode=0o600)


def add_own_wal(data: Path, place: Path, *, is_fresh: bool) -> None:
    """Put the WAL that a backup carries beside what was gathered: it may be archived nowhere yet, or only its beginning.

    Args:
        data: The restored data directory.
        place: The gathered segments.
        is_fresh: Whether nothing was replayed in it: its segments then are whole as far as it needs them.
    """
    for segment in (data / "pg_wal").glob("[0-9A-F]" * 24):
        if is_fresh or not (place / segment.name).exists():
            shutil.copyfile(segment, place / segment.name)


def give_away(folder: Path, uid: int, gid: int) -> None:
    """Make an account the owner of everything below a folder, the folder included; no link is followed."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(os.path.join(place, name), uid, gid, follow_symlinks=False)  # noqa: PTH118 - a million files
    os.chown(folder, uid, gid, follow_symlinks=False)


def _prove(link: Link, place: Path, tools: Tools) -> None:
    """Prove the files of a link that came without being measured."""
    read = outcome(tools, "pg_verifybackup", ["--exit-on-error", "--no-parse-wal", place])
    if read.code:
        raise _unproved(link, read.said)


def _unproved(link: Link, reason: str) -> VerificationFailed:
    first = next(iter(reason.splitlines()), "pg_verifybackup said nothing")
    return VerificationFailed(
        f"backup {link.name} is not what was backed up: {first}",
        hint="`pgkeel backup verify` shows which object; recover from another backup or repository",
        data={"backup": link.name, "reason": reason[:400]},
    )
