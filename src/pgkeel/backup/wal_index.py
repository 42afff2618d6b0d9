"""The index of archived WAL: a row in clear beside each segment, so that gaps and spans are found without any key."""

import itertools
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import msgspec

from pgkeel.backup.envelope import damaged, read_fact, store_fact
from pgkeel.backup.errors import Damaged
from pgkeel.backup.lsn import format_lsn, parse_lsn, segment_end, segment_start, timeline_of
from pgkeel.backup.places import piece_key, segment_key, wal_folder
from pgkeel.backup.sealing import MISSING, Part
from pgkeel.core.repository import Repository

__all__ = [
    "Gap",
    "Piece",
    "RestorePoint",
    "Segment",
    "Span",
    "WalIndex",
    "gaps_between",
    "read_index",
    "read_segment",
    "spans_of",
    "store_piece",
    "store_segment",
]

_READERS = 8


class RestorePoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A named place in the WAL.

    Attributes:
        name: As `pg_create_restore_point` was given it.
        lsn: Where its record begins; recover to the name, not to this.
    """

    name: str
    lsn: str


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A closed segment, checked record by record before it was stored.

    Attributes:
        name: 24 hexadecimal digits.
        system_identifier: Which cluster it is of.
        bytes: Its size in clear, which is the cluster's segment size.
        sha256: Of its clear content.
        commits: How many transactions commit in it.
        first_commit_at: Time of the commit that stands first in it, or None.
        last_commit_at: Time of the commit that stands last in it, or None.
        earliest_commit_at: The smallest of its commit times, or None.
        latest_commit_at: The greatest of its commit times, or None: another than the last one where a clock jumped back.
        last_commit_xid: Transaction of the commit that stands last in it, or None.
        last_commit_lsn: Where that commit's record begins, or None.
        is_monotonic: Whether its commit times never go back.
        restore_points: In their order.
        parts: The pieces of the sealed object.
    """

    name: str
    system_identifier: str
    bytes: int
    sha256: str
    commits: int
    first_commit_at: datetime | None
    last_commit_at: datetime | None
    earliest_commit_at: datetime | None
    latest_commit_at: datetime | None
    last_commit_xid: int | None
    last_commit_lsn: str | None
    is_monotonic: bool
    restore_points: tuple[RestorePoint, ...]
    parts: tuple[Part, ...]

    @property
    def timeline(self) -> int:
        """Its timeline."""
        return timeline_of(self.name)

    @property
    def start_lsn(self) -> str:
        """Where it begins."""
        return format_lsn(segment_start(self.name, size=self.bytes))

    @property
    def end_lsn(self) -> str:
        """The place after its last byte."""
        return format_lsn(segment_end(self.name, size=self.bytes))


class Piece(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Bytes of a segment that was open when they were shipped.

    Attributes:
        segment: Name of the segment.
        system_identifier: Which cluster it is of.
        segment_bytes: The cluster's segment size.
        start: Offset in the segment.
        end: Offset after its last byte; what follows is not written yet.
        sha256: Of its clear content.
        shipped_at: UTC.
        parts: The pieces of the sealed object.
    """

    segment: str
    system_identifier: str
    segment_bytes: int
    start: int
    end: int
    sha256: str
    shipped_at: datetime
    parts: tuple[Part, ...]


class Gap(msgspec.Struct, frozen=True):
    """WAL that is missing between two archived segments: no recovery leads across it.

    Attributes:
        timeline: Its timeline.
        from_lsn: Where the missing WAL begins.
        to_lsn: Where the archive goes on.
    """

    timeline: int
    from_lsn: str
    to_lsn: str


class Span(msgspec.Struct, frozen=True):
    """WAL without a gap.

    Attributes:
        segments: Closed segments, each following the one before.
        pieces: The filled prefix of the segment that follows them, in order and without a hole.
    """

    segments: tuple[Segment, ...]
    pieces: tuple[Piece, ...] = ()

    @property
    def timeline(self) -> int:
        """Its timeline."""
        return self.segments[0].timeline if self.segments else timeline_of(self.pieces[0].segment)

    @property
    def start(self) -> int:
        """Position of its first byte."""
        if self.segments:
            return segment_start(self.segments[0].name, size=self.segments[0].bytes)
        return segment_start(self.pieces[0].segment, size=self.pieces[0].segment_bytes)

    @property
    def end(self) -> int:
        """Position after its last byte."""
        if self.pieces:
            last = self.pieces[-1]
            return segment_start(last.segment, size=last.segment_bytes) + last.end
        return segment_end(self.segments[-1].name, size=self.segments[-1].bytes)


class WalIndex(msgspec.Struct, frozen=True):
    """All archived WAL of a cluster in one repository.

    Attributes:
        segments: Closed segments by timeline and position.
        pieces: Pieces of open segments, by segment and offset.
        damaged: Keys of rows that cannot be trusted; their segments count as missing.
        histories: Timelines whose history file is there.
    """

    segments: tuple[Segment, ...] = ()
    pieces: tuple[Piece, ...] = ()
    damaged: tuple[str, ...] = ()
    histories: tuple[int, ...] = ()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is missing between the segments."""
        return gaps_between(self.segments)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The stretches without a gap."""
        return spans_of(self.segments, self.pieces)

    def span_from(self, timeline: int, lsn: str) -> Span | None:
        """Return the stretch that holds a place, or None when it is in a gap or not archived."""
        place = parse_lsn(lsn)
        return next((span for span in self.spans if span.timeline == timeline and span.start <= place <= span.end), None)


def store_segment(repository: Repository, segment: Segment) -> None:
    """Store a segment's row, which makes it count.

    Raises:
        KeyTaken: Another row lies there: somebody else archives into this repository.
    """
    store_fact(repository, f"{segment_key(segment.system_identifier, segment.name)}.json", segment)


def store_piece(repository: Repository, piece: Piece) -> None:
    """Store a piece's row, which makes it count.

    Raises:
        KeyTaken: Another row lies there.
    """
    store_fact(repository, f"{piece_key(piece.system_identifier, piece.segment, piece.start)}.json", piece)


def read_index(repository: Repository, system: str, *, known: Iterable[Segment] = ()) -> WalIndex:
    """Return the index of a cluster's WAL; no key is needed, and a damaged row hides no other.

    Args:
        repository: Where it lies.
        system: The cluster's system identifier.
        known: Rows that were read before; they never change, so they are not fetched again.
    """
    keys = [stored.key for stored in repository.list(wal_folder(system))]
    before = {f"{segment_key(system, segment.name)}.json": segment for segment in known}
    rows = [key for key in keys if key.endswith(".json")]
    with ThreadPoolExecutor(_READERS) as readers:
        read = list(readers.map(lambda key: before.get(key) or _row(repository, key), rows))
    found = [row for row in read if isinstance(row, Segment | Piece)]
    segments = sorted((row for row in found if isinstance(row, Segment)), key=lambda row: row.name)
    whole = {segment.name for segment in segments}
    pieces = sorted(
        (row for row in found if isinstance(row, Piece) and row.segment not in whole), key=lambda row: (row.segment, row.start)
    )
    histories = sorted(timeline_of(key.rpartition("/")[2]) for key in keys if key.endswith(".history"))
    return WalIndex(tuple(segments), tuple(pieces), tuple(row for row in read if isinstance(row, str)), tuple(histories))


def read_segment(repository: Repository, system: str, name: str) -> Segment | None:
    """Return the row of one closed segment, or None where there is none that can be trusted."""
    row = _row(repository, f"{segment_key(system, name)}.json")
    return row if isinstance(row, Segment) else None


def gaps_between(segments: Sequence[Segment]) -> tuple[Gap, ...]:
    """Return what is missing between segments of the same timeline, which are in order."""
    pairs = itertools.pairwise(segments)
    return tuple(
        Gap(left.timeline, left.end_lsn, right.start_lsn)
        for left, right in pairs
        if left.timeline == right.timeline and left.end_lsn != right.start_lsn
    )


def spans_of(segments: Sequence[Segment], pieces: Sequence[Piece]) -> tuple[Span, ...]:
    """Return the stretches without a gap; pieces lengthen the stretch that they follow, or begin one."""
    runs: list[list[Segment]] = []
    for segment in segments:
        follows = runs and runs[-1][-1].timeline == segment.timeline and runs[-1][-1].end_lsn == segment.start_lsn
        runs[-1].append(segment) if follows else runs.append([segment])
    prefixes = _prefixes(pieces)
    spans = []
    for run in runs:
        after = segment_end(run[-1].name, size=run[-1].bytes)
        following = next((name for name in prefixes if _begins(prefixes[name], run[-1].timeline, after)), None)
        spans.append(Span(tuple(run), prefixes.pop(following) if following else ()))
    return (*spans, *(Span((), prefix) for prefix in prefixes.values()))


def _prefixes(pieces: Sequence[Piece]) -> dict[str, tuple[Piece, ...]]:
    """Return the pieces of each open segment from offset 0 on, up to the first hole."""
    prefixes: dict[str, tuple[Piece, ...]] = {}
    for piece in pieces:
        before = prefixes.get(piece.segment, ())
        if piece.start == (before[-1].end if before else 0):
            prefixes[piece.segment] = (*before, piece)
    return prefixes


def _begins(pieces: Sequence[Piece], timeline: int, position: int) -> bool:
    first = pieces[0]
    return timeline_of(first.segment) == timeline and segment_start(first.segment, size=first.segment_bytes) == position


def _row(repository: Repository, key: str) -> Segment | Piece | str | None:
    """Return the row under a key, the key when it cannot be trusted, or None when it was deleted meanwhile."""
    folder, _, name = key.removesuffix(".json").rpartition("/")
    try:
        if folder.endswith(".partial"):
            piece = read_fact(repository, key, Piece)
            if piece_key(piece.system_identifier, piece.segment, piece.start) != f"{folder}/{name}":
                raise damaged(repository, key, "is the row of another piece")
            return piece
        segment = read_fact(repository, key, Segment)
        if segment_key(segment.system_identifier, segment.name) != f"{folder}/{name}":
            raise damaged(repository, key, "is the row of another segment")
    except Damaged as err:
        return None if err.data["reason"] == MISSING else key
    return segment
