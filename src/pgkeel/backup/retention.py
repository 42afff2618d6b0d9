"""Which backups and which WAL may go: never what a backup inside the window, a kept one, or a reader still needs."""

import contextlib
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from pgkeel.backup.catalogue import read_catalogue
from pgkeel.backup.envelope import read_fact
from pgkeel.backup.errors import Damaged, ObjectLocked
from pgkeel.backup.lease import readers_of, working
from pgkeel.backup.lsn import parse_lsn, segment_end, timeline_of
from pgkeel.backup.marks import read_marks
from pgkeel.backup.places import RECORD, wal_folder
from pgkeel.backup.records import Record
from pgkeel.backup.wal_index import Segment
from pgkeel.core.errors import LockNotObtained
from pgkeel.core.log import get_logger
from pgkeel.core.repository import Locking, Repository, Stored

__all__ = ["Policy", "PrunePlan", "Pruned", "plan_prune", "prune", "retained", "wal_is_needed"]

log = get_logger(__name__)

_SEGMENT = re.compile(r"/([0-9A-F]{24})(?:\.|$)")


class Policy(msgspec.Struct, frozen=True):
    """What must stay restorable.

    Attributes:
        window: Every point in time from `now - window` on.
        minimum: At least so many full backups, however old.
    """

    window: timedelta
    minimum: int


class PrunePlan(msgspec.Struct, frozen=True):
    """What is not needed any more.

    Attributes:
        backups: Records; none is built on by one that comes later in the list or stays.
        wal: Keys of WAL that no retained backup needs.
        bytes: How much room it makes.
        readers: Who reads now; while somebody does, nothing is deleted.
        policy: What must stay restorable.
        now: When it was made, as the window is counted.
    """

    backups: tuple[Record, ...] = ()
    wal: tuple[str, ...] = ()
    bytes: int = 0
    readers: tuple[str, ...] = ()
    policy: Policy | None = None
    now: datetime | None = None


class Pruned(msgspec.Struct, frozen=True):
    """What was deleted.

    Attributes:
        backups: Ids.
        wal: How many objects of WAL.
        locked: Keys that the repository does not give up yet: object lock.
    """

    backups: tuple[str, ...] = ()
    wal: int = 0
    locked: tuple[str, ...] = ()


def plan_prune(repository: Repository, policy: Policy, *, now: datetime, systems: Collection[str] | None = None) -> PrunePlan:
    """Return what may go from a repository; nothing is deleted.

    Args:
        repository: Which one.
        policy: What must stay restorable.
        now: UTC.
        systems: Only of these clusters, for others may keep theirs longer; of all when not given.
    """
    records, marks = read_catalogue(repository).records, read_marks(repository)
    found = sorted({record.system_identifier for record in records})
    plans = []
    for system in (one for one in found if systems is None or one in systems):
        ours = [record for record in records if record.system_identifier == system]
        kept = frozenset(backup for owner, backup in marks.kept if owner == system)
        stored = list(repository.list(wal_folder(system)))
        size = _segment_bytes(repository, stored)
        readers = tuple(reader.holder for reader in readers_of(repository, system))
        plans.append(_plan(ours, policy, stored, size=size, kept=kept, now=now, readers=readers))
    return _joined(plans, policy, now)


def prune(repository: Repository, plan: PrunePlan, *, holder: str) -> Pruned:
    """Delete what the plan names: a backup's record first, so that one that is cut off is no backup and is swept up later.

    Since it was made somebody may have begun to read, or said that a backup stays: what must not go now stays.

    Raises:
        LockNotObtained: Somebody reads, takes or deletes backups of this cluster now; nothing is deleted.
    """
    _require_unread(repository, plan)
    gone: list[str] = []
    locked: list[str] = []
    wal = 0
    systems = sorted({record.system_identifier for record in plan.backups} | {key.split("/")[0] for key in plan.wal})
    with contextlib.ExitStack() as leases:
        for system in systems:
            leases.enter_context(working(repository, system, holder=holder))
        plan = _still_due(repository, plan, systems)
        for record in plan.backups:
            if not _delete(repository, f"{record.folder}/{RECORD}", locked):
                continue
            gone.append(record.id)
            for part in record.objects:
                _delete(repository, part.key, locked)
        for key in plan.wal:
            wal += _delete(repository, key, locked)
    log.info("backup.pruned", repository=repository.name, backups=gone, wal=wal, locked=len(locked))
    return Pruned(tuple(gone), wal, tuple(locked))


def _require_unread(repository: Repository, plan: PrunePlan) -> None:
    if plan.readers:
        raise LockNotObtained(f"{plan.readers[0]} reads backups of {repository.name}", hint="prune again when it is done")


def _still_due(repository: Repository, plan: PrunePlan, systems: Collection[str]) -> PrunePlan:
    """Return what of a plan may go as things are now; it may have waited for a person's answer."""
    if plan.policy is None or plan.now is None or not systems:
        return plan
    fresh = plan_prune(repository, plan.policy, now=plan.now, systems=systems)
    _require_unread(repository, fresh)
    due, wal = {record.folder for record in fresh.backups}, set(fresh.wal)
    backups = tuple(record for record in plan.backups if record.folder in due)
    return msgspec.structs.replace(plan, backups=backups, wal=tuple(key for key in plan.wal if key in wal))


def _joined(plans: Sequence[PrunePlan], policy: Policy, now: datetime) -> PrunePlan:
    return PrunePlan(
        tuple(record for plan in plans for record in plan.backups),
        tuple(key for plan in plans for key in plan.wal),
        sum(plan.bytes for plan in plans),
        tuple(reader for plan in plans for reader in plan.readers),
        policy,
        now,
    )


def retained(records: Sequence[Record], policy: Policy, *, kept: Iterable[str], now: datetime) -> frozenset[str]:
    """Return the ids of the backups of one cluster that stay.

    That is: every one inside the window, the newest full one before it (the beginning of the window is restored from there),
    also that of each timeline that goes on inside it (an undone recovery leaves a newer one of a timeline that ended), the newest
    full ones up to the minimum, the kept ones, and all that these build on.
    """
    start = now - policy.window
    by_end = sorted(records, key=lambda record: (record.finished_at, record.id))
    fulls = [record for record in by_end if record.kind == "full"]
    stay = {record.id for record in by_end if record.finished_at > start} | set(kept)
    before = [record for record in fulls if record.finished_at <= start]
    stay |= {record.id for record in before[-1:]}
    going_on = {record.timeline for record in by_end if record.finished_at > start}
    stay |= {record.id for record in {one.timeline: one for one in before if one.timeline in going_on}.values()}
    stay |= {record.id for record in fulls[-policy.minimum :]} if policy.minimum else set()
    parents = {record.id: record.parent for record in records}
    while missing := {parents[backup] for backup in stay if parents.get(backup)} - stay:
        stay |= {backup for backup in missing if backup}
    return frozenset(stay)


def wal_is_needed(timeline: int, end: int, bases: Iterable[tuple[int, int]]) -> bool:
    """Return whether a segment is needed by one of the bases, each a timeline and the place where its recovery begins.

    WAL of older timelines than the base's own is never read; of its own and of those that branched off it, all is from there on.
    """
    return any(timeline >= base_timeline and end > start for base_timeline, start in bases)


def _plan(
    records: Sequence[Record],
    policy: Policy,
    stored: Sequence[Stored],
    *,
    size: int | None,
    kept: frozenset[str],
    now: datetime,
    readers: tuple[str, ...],
) -> PrunePlan:
    stay = retained(records, policy, kept=kept, now=now)
    going = [record for record in records if record.id not in stay]
    going.sort(key=lambda record: (record.kind == "full", record.finished_at))  # what builds on others goes before them
    bases = [(record.timeline, parse_lsn(record.start_lsn)) for record in _bases(records, policy, stay, kept, now)]
    wal = [] if size is None or not bases else [one for one in stored if _is_old(one.key, size, bases)]
    wal.sort(key=lambda one: not one.key.endswith(".json"))  # what is cut off then has no row, and counts for nothing
    room = sum(record.bytes for record in going) + sum(one.bytes for one in wal)
    return PrunePlan(tuple(going), tuple(one.key for one in wal), room, readers)


def _bases(records: Sequence[Record], policy: Policy, stay: frozenset[str], kept: frozenset[str], now: datetime) -> list[Record]:
    """Return the backups from which WAL is replayed: all that stay, but not those that stay only because they are kept.

    A kept full or incremental backup carries the WAL that it needs; a kept WAL slice is nothing without it.
    """
    without_marks = retained(records, policy, kept=(), now=now)
    slices = {record.parent for record in records if record.kind == "wal" and record.id in kept}
    return [record for record in records if record.id in stay and (record.id in without_marks or record.id in slices)]


def _is_old(key: str, size: int, bases: Sequence[tuple[int, int]]) -> bool:
    match = _SEGMENT.search(key)
    return match is not None and not wal_is_needed(timeline_of(match[1]), segment_end(match[1], size=size), bases)


def _segment_bytes(repository: Repository, stored: Sequence[Stored]) -> int | None:
    """Return the cluster's segment size, as the first row says that can be read."""
    for one in stored:
        if one.key.endswith(".json") and ".partial/" not in one.key:
            with contextlib.suppress(Damaged):
                return read_fact(repository, one.key, Segment).bytes
    return None


def _delete(repository: Repository, key: str, locked: list[str]) -> bool:
    if isinstance(repository, Locking) and repository.locked_until(key) is not None:  # a delete would only hide it
        locked.append(key)
        return False
    try:
        repository.delete(key)
    except ObjectLocked:
        locked.append(key)
        return False
    return True
