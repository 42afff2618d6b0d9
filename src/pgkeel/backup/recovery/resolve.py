"""From a wish to a plan: which place in the WAL, which backup leads there, and what it takes."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from pgkeel.backup.errors import Damaged
from pgkeel.backup.lsn import format_lsn, parse_lsn, segment_name
from pgkeel.backup.records import Record
from pgkeel.backup.recovery.branches import require_newest
from pgkeel.backup.recovery.cut import Cut
from pgkeel.backup.recovery.errors import NotRestorable, TargetNotFound, WalDamaged, WalMissing
from pgkeel.backup.recovery.gather import Archive, gather, known_after
from pgkeel.backup.recovery.search import Files, cut_of
from pgkeel.backup.recovery.wal import Wal, require_whole
from pgkeel.backup.recovery.wish import Wish
from pgkeel.backup.tools import Tools

__all__ = ["Plan", "Target", "chain_of", "resolve"]

_LOOK_BACK = timedelta(hours=26)
_RESTORE_BYTES, _REPLAY_BYTES = 100 * 2**20, 130 * 2**20  # a second; measured at 136 to 256 MB/s of WAL


class Target(msgspec.Struct, frozen=True):
    """The point that is recovered to.

    Attributes:
        timeline: Its timeline.
        xid: The first transaction that is left out, or None where all are kept.
        lsn: Where the last kept transaction's commit record begins, or where the backup ends.
        time: When that was committed, or None where the backup is the last that is known.
    """

    timeline: int
    xid: int | None
    lsn: str
    time: datetime | None


class Plan(msgspec.Struct, frozen=True):
    """What a recovery would do.

    Attributes:
        target: Where it ends.
        settings: What PostgreSQL is told so that it ends there.
        chain: Ids of the backups: a full one, and an incremental one where that saves WAL.
        start: Where the WAL begins that is replayed.
        end: Where the last record begins that is replayed.
        segment_bytes: Bytes a segment.
        bytes: Size of what is restored.
        wal_bytes: WAL that is replayed.
        seconds: How long it will take.
        lost: How much of what was committed is left out, in time.
        warnings: What a person should know first.
    """

    target: Target
    settings: dict[str, str]
    chain: tuple[str, ...]
    start: str
    end: str
    segment_bytes: int
    bytes: int
    wal_bytes: int
    seconds: float
    lost: timedelta
    warnings: tuple[str, ...] = ()


def resolve(
    wish: Wish,
    records: Sequence[Record],
    archive: Archive,
    tools: Tools,
    place: Path,
    *,
    files: Callable[[Sequence[Record]], Files],
    now: datetime,
    since: datetime | None = None,
) -> Plan:
    """Return the plan of a wish; WAL is brought into `place` on the way, and stays there for the replay.

    Args:
        wish: What was asked for.
        records: All finished backups of the cluster.
        archive: Where its WAL is.
        tools: Those of its major.
        place: A folder of our own.
        files: Gives what says which files a table has been, given the backups that wrote it down.
        now: The time.
        since: How far back a transaction is looked for; 26 hours when not given, so that a day's full backup is in it.

    Raises:
        NotRestorable: No backup leads there.
        TargetNotFound: There is no such place.
        AmbiguousTarget: There are several.
        WalMissing: It may lie behind a segment that is not there.
        WalDamaged: It may lie behind a fault.
    """
    bases = _bases(records, wish.timeline)
    first = _first(wish, bases, since or now - _LOOK_BACK)
    faults = list[Damaged]()
    stretches = _stretches(first, bases, archive, place, faults)
    try:
        cut, end = _newest_cut(wish, stretches if wish.is_searched else stretches[:1], tools, files(bases), since)
        if cut.left is None and not wish.is_searched:
            _require_all(wish, cut, stretches[0], archive, tools, faults)
            if wish.timeline is None and wish.lsn is None:
                require_newest(bases, cut.time, records, archive)
        _require_known(wish, bases, end)
        base = _base([one for one in bases if parse_lsn(one.start_lsn) < end], cut, wish)
    except (NotRestorable, TargetNotFound) as err:
        raise type(err)(err.message, hint=f"{err.hint}{_elsewhere(wish, records, bases)}", data=err.data) from err
    return _plan(base, chain_of(base, records), cut, archive.size)


def _require_known(wish: Wish, bases: Sequence[Record], end: int) -> None:
    """Return when a place in the WAL that was named is in the WAL that was found; else all that is known would pass for it."""
    if wish.lsn is not None and wish.lsn > end:
        known = f"the WAL that is known of timeline {bases[0].timeline} ends at {format_lsn(end)}"
        raise TargetNotFound(
            f"{format_lsn(wish.lsn)} is not there: {known}",
            hint="without a point everything that is known is recovered; `pgkeel backup list` shows gaps",
        )


def _elsewhere(wish: Wish, records: Sequence[Record], bases: Sequence[Record]) -> str:
    """Return what to type where a point may lie before the recovery with which the newest timeline began, or ""."""
    others = sorted({one.timeline for one in records if one.kind != "wal"} - {bases[0].timeline}, reverse=True)
    if not others or wish.timeline is not None:
        return ""
    return f"; only timeline {bases[0].timeline} was looked at: --timeline takes {', '.join(map(str, others))} too"


def _stretches(
    first: Record, bases: Sequence[Record], archive: Archive, place: Path, faults: list[Damaged]
) -> list[tuple[Wal, int]]:
    """Return the WAL from a backup on and where it ends; and behind each gap that from the next backup on, which begins anew."""
    found = list[tuple[Wal, int]]()
    base: Record | None = first
    while base is not None:
        start = parse_lsn(base.start_lsn)
        reached = gather(archive, base.timeline, start, None, place, hear=faults.append)
        end = max(start + 1, reached)  # its own WAL may be archived nowhere
        found.append((Wal(place, base.timeline, start), end))
        base = next((one for one in bases if parse_lsn(one.start_lsn) >= end), None)
    return found


def _require_all(
    wish: Wish, cut: Cut, stretch: tuple[Wal, int], archive: Archive, tools: Tools, faults: Sequence[Damaged]
) -> None:
    """Prove that the WAL ends where nothing more was found: who wants the newest, or a time, gets no less without a word."""
    wal, end = stretch
    size, kept = archive.size, format_lsn(cut.kept.lsn + 1 if cut.kept else wal.start)
    hint = f"--to {kept} takes what lies before it; or bring the segment back, or recover from another repository (--from)"
    name = segment_name(wal.timeline, end, size=size)
    if wish.lsn is None or wish.lsn > end:
        for fault in faults:
            if name in fault.message:
                raise WalDamaged(fault.message, hint=hint, data={"segment": name})
        if known_after(archive, wal.timeline, end) is not None:
            raise WalMissing(f"the WAL segment {name} is missing, and later ones are there", hint=hint, data={"segment": name})
    last = end - size  # the last segment, which may end anywhere
    until = min(last if wish.lsn is None else wish.lsn, last) - 1
    is_read = cut.kept is not None and cut.kept.lsn >= last
    if until <= wal.start or is_read:
        return
    try:
        require_whole(wal, until, tools, size=size)
    except WalDamaged as err:
        raise WalDamaged(err.message, hint=hint) from err


def _newest_cut(
    wish: Wish, stretches: Sequence[tuple[Wal, int]], tools: Tools, files: Files, since: datetime | None
) -> tuple[Cut, int]:
    """Return the place that a wish means, and where its WAL ends; what happened is looked for behind the last gap first."""
    *older, (newest, end) = stretches
    try:
        return cut_of(wish, newest, tools, files, since=since), end
    except TargetNotFound:
        if not older:
            raise
        return _newest_cut(wish, older, tools, files, since)


def chain_of(base: Record, records: Sequence[Record]) -> tuple[Record, ...]:
    """Return what a backup is made of, the full one first.

    Raises:
        NotRestorable: A parent is gone.
    """
    if base.kind == "full":
        return (base,)
    parent = next((one for one in records if one.id == base.parent and one.system_identifier == base.system_identifier), None)
    if parent is None:
        raise NotRestorable(
            f"backup {base.id} needs {base.parent}, which is gone", hint="`pgkeel backup verify` shows what is there"
        )
    return (*chain_of(parent, records), base)


def _bases(records: Sequence[Record], timeline: int | None) -> list[Record]:
    data = sorted((one for one in records if one.kind != "wal"), key=lambda one: one.finished_at)
    wanted = timeline or (data[-1].timeline if data else 0)  # an undone recovery left a newer timeline behind
    found = [one for one in data if one.timeline == wanted]
    if not found:
        what = f"on timeline {timeline}" if timeline else "at all"
        raise NotRestorable(f"there is no backup {what}", hint="`pgkeel backup list` shows what is there")
    return found


def _first(wish: Wish, bases: Sequence[Record], since: datetime) -> Record:
    """Return the backup from whose start on the WAL is looked through."""
    match wish:
        case Wish(time=datetime() as time):
            fitting = [one for one in bases if one.finished_at <= time]
        case Wish(lsn=int() as lsn):
            fitting = [one for one in bases if parse_lsn(one.end_lsn) <= lsn]
        case Wish(name=None, xid=None, before=None):
            return bases[-1]
        case _:
            return next((one for one in reversed(bases) if one.finished_at <= since), bases[0])
    return fitting[-1] if fitting else bases[0]


def _base(bases: Sequence[Record], cut: Cut, wish: Wish) -> Record:
    fitting = [one for one in bases if cut.left is None or parse_lsn(one.end_lsn) <= cut.left.lsn]
    if not fitting or (cut.kept is None and _is_before(wish, bases[0])):
        raise NotRestorable(
            f"the oldest backup is consistent at {bases[0].end_lsn}, {bases[0].finished_at:%Y-%m-%d %H:%M:%SZ}, after this point",
            hint="`pgkeel backup list` shows what can be restored",
        )
    return fitting[-1]


def _is_before(wish: Wish, oldest: Record) -> bool:
    """Return whether a place lies before the oldest backup: what was committed in between is in there all the same."""
    if wish.lsn is not None:
        return wish.lsn < parse_lsn(oldest.start_lsn)
    return wish.time is not None and wish.time < oldest.finished_at


def _plan(base: Record, chain: Sequence[Record], cut: Cut, size: int) -> Plan:
    consistent = parse_lsn(base.end_lsn)
    settings = cut.settings(consistent)
    last = parse_lsn(settings["recovery_target_lsn"]) if "recovery_target_lsn" in settings else consistent - 1
    start, restored = parse_lsn(base.start_lsn), sum(one.size for one in chain)
    return Plan(
        Target(cut.timeline, cut.left.xid if cut.left else None, format_lsn(cut.kept.lsn if cut.kept else consistent), cut.time),
        settings,
        tuple(one.id for one in chain),
        format_lsn(start),
        format_lsn(last),
        size,
        restored,
        max(0, last - start),
        round(restored * len(chain) / _RESTORE_BYTES + max(0, last - start) / _REPLAY_BYTES + 5, 1),
        cut.lost,
        cut.warnings,
    )
