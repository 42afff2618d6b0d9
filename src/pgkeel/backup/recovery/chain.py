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

from pgkeel.backup.errors import Damaged
from pgkeel.backup.recovery.errors import NotRestorable, VerificationFailed
from pgkeel.backup.recovery.manifest import manifest_of_others
from pgkeel.backup.recovery.overlay import lay_over, plan_overlay
from pgkeel.backup.recovery.programs import outcome
from pgkeel.backup.tools import Tools, tool

__all__ = ["Aside", "Bring", "Link", "add_own_wal", "combine", "give_away", "prepare", "require_room"]

Aside = dict[str, bytes]  # path → content
Bring = Callable[[Path, Aside | None, Callable[[], None]], None]
_MARGIN = 1.1
_AT_ONCE = 2
_FULL_AND_INCREMENTAL = 2
_MANIFEST = "backup_manifest"
_SIGNAL = "recovery.signal"
_STALE = ("postmaster.pid", "standby.signal", "tablespace_map.old", "backup_label.old")


class Link(msgspec.Struct, frozen=True):
    """One backup of a chain.

    Attributes:
        name: Its id.
        bring: Unpacks it into a missing directory. Files that hold nothing may go into the second argument instead, unless
            that is None; the third raises when the work is to end, and is asked often.
        is_proved: Whether another tool has put it together, whose manifest is not one of these bytes.
    """

    name: str
    bring: Bring
    is_proved: bool = False


class _Brought(msgspec.Struct, frozen=True):
    """A link that lies in a folder, but for what was kept aside."""

    place: Path
    aside: Aside


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


def combine(links: Sequence[Link], work: Path, data: Path, tools: Tools, report: Callable[[str], None]) -> None:
    """Make `data` out of the links, the full one first; what an earlier attempt left is removed.

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
    for left in (data, work):
        shutil.rmtree(left, ignore_errors=True)
    work.mkdir(mode=0o700)
    brought = _bring(links, work, tools, report)
    if len(brought) > 1:
        report("combining the full backup and the incremental ones")
    _put_together(brought, data, tools)
    shutil.rmtree(work)


def _bring(links: Sequence[Link], work: Path, tools: Tools, report: Callable[[str], None]) -> list[_Brought]:
    """Unpack and prove the links, two at once: one waits for the disk while the other decrypts."""
    has_failed = threading.Event()

    def check() -> None:
        if has_failed.is_set():
            raise NotRestorable("another backup of the chain is not to be had")

    def run(number: int, link: Link) -> _Brought:
        report(f"restoring {link.name}")
        is_laid_over = number > 0 and len(links) == _FULL_AND_INCREMENTAL
        brought = _Brought(work / f"{number}", {})
        link.bring(brought.place, brought.aside if is_laid_over else None, check)
        if not link.is_proved:
            _prove(link, brought, tools)
        return brought

    with ThreadPoolExecutor(_AT_ONCE, "restore") as pool:
        running = [pool.submit(run, number, link) for number, link in enumerate(links)]
        try:
            for one in as_completed(running):
                one.result()
        except BaseException:
            has_failed.set()
            raise
    return [one.result() for one in running]


def _put_together(brought: Sequence[_Brought], data: Path, tools: Tools) -> None:
    """Make the data directory; nothing is synced: the server syncs all of it when it starts."""
    first, last = brought[0].place, brought[-1]
    overlay = plan_overlay(first, last.place, tools, last.aside) if len(brought) == _FULL_AND_INCREMENTAL else None
    if overlay is not None:
        lay_over(first, last.place, overlay)
    if overlay is not None or len(brought) == 1:
        first.rename(data)
    else:
        _make(last)
        tool(tools, "pg_combinebackup", "--no-sync", "--no-manifest", *(one.place for one in brought), f"--output={data}")


def _make(brought: _Brought) -> None:
    """Make the files that were kept aside after all."""
    for name, content in brought.aside.items():
        (brought.place / name).touch(mode=0o600)
        (brought.place / name).write_bytes(content)


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


def _prove(link: Link, brought: _Brought, tools: Tools) -> None:
    """Prove the files of a link with `pg_verifybackup`, and by ourselves those that it cannot see."""
    options = ["--exit-on-error", "--no-parse-wal"]
    if brought.aside:
        manifest = brought.place.with_name(f"{brought.place.name}.{_MANIFEST}")
        try:
            manifest.write_bytes(manifest_of_others((brought.place / _MANIFEST).read_bytes(), brought.aside))
        except Damaged as err:
            raise _unproved(link, err.message) from err
        options.append(f"--manifest-path={manifest}")
    read = outcome(tools, "pg_verifybackup", [*options, brought.place])
    if read.code:
        raise _unproved(link, read.said)


def _unproved(link: Link, reason: str) -> VerificationFailed:
    first = next(iter(reason.splitlines()), "pg_verifybackup said nothing")
    return VerificationFailed(
        f"backup {link.name} is not what was backed up: {first}",
        hint="`pgkeel backup verify` shows which object; recover from another backup or repository",
        data={"backup": link.name, "reason": reason[:400]},
    )
