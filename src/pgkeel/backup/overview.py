"""What can be restored: the backups with their marks, the times that can be reached, and what is missing in between."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from pgkeel.backup.catalogue import Catalogue, read_catalogue
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.marks import Marks, read_marks
from pgkeel.backup.records import Record
from pgkeel.backup.retention import Policy
from pgkeel.backup.wal_index import Gap, Span, WalIndex, read_index
from pgkeel.core.repository import Repository

__all__ = ["Entry", "Overview", "Restorable", "overview"]


class Entry(msgspec.Struct, frozen=True):
    """A backup and what is said about it.

    Attributes:
        record: The backup.
        verified_at: When it was restored last as a test, or None.
        kept: Whether it is never pruned.
        expires_at: When it leaves the window, or None while that is open: it is kept, or no later full backup is there.
    """

    record: Record
    verified_at: datetime | None
    kept: bool
    expires_at: datetime | None


class Restorable(msgspec.Struct, frozen=True):
    """A span of time within which every moment can be restored.

    Attributes:
        start: The end of its first full backup.
        end: The last moment that the archived WAL is known to cover.
        timeline: On which timeline.
    """

    start: datetime
    end: datetime
    timeline: int


class Overview(msgspec.Struct, frozen=True):
    """A repository's content.

    Attributes:
        entries: Backups, oldest first.
        restorable: Oldest first.
        gaps: WAL that is missing.
        damaged: Records and rows that cannot be trusted.
    """

    entries: tuple[Entry, ...]
    restorable: tuple[Restorable, ...]
    gaps: tuple[Gap, ...]
    damaged: tuple[str, ...]


def overview(repository: Repository, policy: Policy, *, system: str | None = None) -> Overview:
    """Return what a repository holds; no key is needed.

    Args:
        repository: Which one.
        policy: How long backups stay.
        system: Only of this cluster, or of all when not given.
    """
    catalogue, marks = read_catalogue(repository), read_marks(repository)
    records = [record for record in catalogue.records if system in {None, record.system_identifier}]
    systems = sorted({record.system_identifier for record in records} | ({system} if system else set()))
    indexes = {name: read_index(repository, name) for name in systems}
    entries = tuple(_entry(record, records, marks, policy) for record in records)
    spans = [span for name, index in indexes.items() for span in _restorable(_of(records, name), index)]
    gaps = tuple(gap for index in indexes.values() for gap in index.gaps)
    return Overview(entries, tuple(sorted(spans, key=lambda span: span.start)), gaps, _damaged(catalogue, indexes.values()))


def _of(records: Sequence[Record], system: str) -> list[Record]:
    return [record for record in records if record.system_identifier == system]


def _damaged(catalogue: Catalogue, indexes: Iterable[WalIndex]) -> tuple[str, ...]:
    return (*(fault.object for fault in catalogue.faults), *(key for index in indexes for key in index.damaged))


def _entry(record: Record, records: Sequence[Record], marks: Marks, policy: Policy) -> Entry:
    key = (record.system_identifier, record.id)
    kept = key in marks.kept
    return Entry(record, marks.verified_at.get(key), kept, None if kept else _expiry(record, records, policy))


def _expiry(record: Record, records: Sequence[Record], policy: Policy) -> datetime | None:
    """Return when nothing inside the window needs it: a full backup is needed until the next one is as old as the window.

    None is when later full backups decide it: there are no more of them yet than have to stay, however old.
    """
    ours = [other for other in _of(records, record.system_identifier) if other.finished_at >= record.finished_at]
    if record.kind != "full":
        return record.finished_at + policy.window
    later = [other for other in ours if other.kind == "full" and other.id != record.id]
    if len(later) < max(1, policy.minimum):
        return None
    needed = [other.finished_at for other in ours if other.parent == record.id]
    return max([later[0].finished_at, *needed]) + policy.window


def _restorable(records: Sequence[Record], index: WalIndex) -> Iterator[Restorable]:
    """Yield the stretches: from the end of a full backup as far as the WAL after it has no gap."""
    reached: list[tuple[int, Span | None]] = []
    for record in (record for record in records if record.kind == "full"):
        span = index.span_from(record.timeline, record.end_lsn)
        if span is not None and (record.timeline, span) in reached:
            continue
        reached.append((record.timeline, span))
        yield Restorable(record.finished_at, _end(record, span, records), record.timeline)


def _end(full: Record, span: Span | None, records: Sequence[Record]) -> datetime:
    if span is None:
        return full.finished_at
    inside = [record for record in records if record.timeline == full.timeline and parse_lsn(record.end_lsn) <= span.end]
    commits = [segment.last_commit_at for segment in span.segments if segment.last_commit_at is not None]
    return max([record.finished_at for record in inside] + commits[-1:] + [piece.shipped_at for piece in span.pieces[-1:]])
