"""What a repository holds, read from the records that lie beside the objects: nothing else is kept, so nothing can disagree."""

import contextlib
from collections.abc import Callable, Iterable, Iterator

import msgspec

from pgkeel.backup.errors import Damaged
from pgkeel.backup.lsn import parse_lsn, segment_name
from pgkeel.backup.places import is_apart, segment_key
from pgkeel.backup.records import RECORD, Record, read_record
from pgkeel.backup.sealing import MISSING, Count, Part, fault_of
from pgkeel.backup.wal_index import Piece, Segment, WalIndex, read_index
from pgkeel.core.repository import Repository

__all__ = ["Catalogue", "Fault", "Verdict", "read_catalogue", "read_fulls", "sweep", "verify"]


class Fault(msgspec.Struct, frozen=True):
    """An object that is not what was stored.

    Attributes:
        object: Its key.
        reason: What is wrong with it.
    """

    object: str
    reason: str


class Catalogue(msgspec.Struct, frozen=True):
    """What a repository holds.

    Attributes:
        records: The finished backups, oldest first.
        faults: Records that cannot be trusted.
        unfinished: Objects of no finished backup: one that runs, was killed, or lost its record.
    """

    records: tuple[Record, ...]
    faults: tuple[Fault, ...]
    unfinished: tuple[str, ...]


class Verdict(msgspec.Struct, frozen=True):
    """What a check of a repository found.

    Attributes:
        checked: How many objects were read whole.
        damaged: Those that are not what was stored.
        unfinished: Objects of no finished backup.
        missing: The first segment of each gap in the WAL.
    """

    checked: int
    damaged: tuple[Fault, ...]
    unfinished: tuple[str, ...]
    missing: tuple[Fault, ...] = ()


def read_catalogue(repository: Repository) -> Catalogue:
    """Return what the repository holds; no key is needed, and a damaged record hides no other."""
    keys = [stored.key for stored in repository.list()]
    records, faults = [], []
    for key in (key for key in keys if key.rpartition("/")[2] == RECORD):
        try:
            records.append(read_record(repository, key))
        except Damaged as err:
            faults.append(Fault(key, err.data["reason"]))
    named = {part.key for record in records for part in record.objects} | {f"{record.folder}/{RECORD}" for record in records}
    named |= {fault.object for fault in faults}
    unfinished = [key for key in keys if key not in named and not is_apart(key)]
    return Catalogue(tuple(sorted(records, key=lambda one: (one.finished_at, one.id))), tuple(faults), tuple(unfinished))


def read_fulls(repository: Repository, keys: Iterable[str]) -> list[Record]:
    """Return the full backups among keys, oldest first; a damaged record hides no other."""
    found = []
    for key in (key for key in keys if key.endswith(f"-full/{RECORD}")):
        with contextlib.suppress(Damaged):
            found.append(read_record(repository, key))
    return sorted(found, key=lambda one: (one.finished_at, one.id))


def sweep(repository: Repository, system: str) -> list[str]:
    """Delete what killed backups of a cluster left and return the keys that stay; the caller holds the lease, so none runs."""
    keys = [stored.key for stored in repository.list(system)]
    whole = {key.rpartition("/")[0] for key in keys if key.endswith(f"/{RECORD}")}
    left = {key for key in keys if not is_apart(key) and key.rpartition("/")[0] not in whole}
    for key in left:
        repository.delete(key)
    return [key for key in keys if key not in left]


def verify(
    repository: Repository,
    *,
    share: tuple[int, int] = (0, 1),
    check: Callable[[], None] = lambda: None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Verdict:
    """Read every object of every finished backup and of the WAL, bit by bit, without a server and without a key.

    Args:
        repository: Which one.
        share: `(2, 7)` reads the third of seven shares, which together are everything; records and rows are always read.
        check: Raises when the work is to end; asked before each object.
        progress: Hears how many of the bytes were read.
    """
    catalogue = read_catalogue(repository)
    by_system = {system: read_index(repository, system) for system in _systems(repository)}
    indexes = list(by_system.values())
    rows: list[Segment | Piece] = [row for index in indexes for row in index.segments]
    rows += [piece for index in indexes for piece in index.pieces]
    parts = [part for record in catalogue.records for part in record.objects] + [part for row in rows for part in row.parts]
    number, shares = share
    parts = [part for part in parts if int(part.sha256[:8], 16) % shares == number]
    counted = Count(parts, progress).of(parts)
    found = [Fault(part.key, reason) for part in counted if (reason := _fault(repository, part, check))]
    found += [Fault(key, "its row cannot be trusted") for index in indexes for key in index.damaged]
    checked = len(catalogue.records) + len(catalogue.faults) + len(parts) + len(rows)
    missing = tuple(fault for system, index in by_system.items() for fault in _missing(system, index))
    return Verdict(checked, (*catalogue.faults, *found), catalogue.unfinished, missing)


def _missing(system: str, index: WalIndex) -> Iterator[Fault]:
    for gap in index.gaps:
        first = segment_name(gap.timeline, parse_lsn(gap.from_lsn), size=index.segments[0].bytes)
        reason = f"WAL is missing from {gap.from_lsn} to {gap.to_lsn}: no moment in there can be restored"
        yield Fault(segment_key(system, first), reason)


def _fault(repository: Repository, part: Part, check: Callable[[], None]) -> str:
    check()
    reason = fault_of(part, repository.get(part.key))
    return "" if reason == MISSING and not _is_owned(repository, part.key) else reason


def _is_owned(repository: Repository, key: str) -> bool:
    """Return whether the record or row is there still: without it the object was deleted on purpose meanwhile."""
    folder, _, name = key.rpartition("/")
    owner = f"{folder}/{name.rpartition('.')[0]}.json" if is_apart(key) else f"{folder}/{RECORD}"
    return repository.get(owner) is not None


def _systems(repository: Repository) -> list[str]:
    return sorted({stored.key.partition("/")[0] for stored in repository.list()})
