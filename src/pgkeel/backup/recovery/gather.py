"""Bring WAL together in one folder of plain segments: from repositories, from what was received, and from the server."""

import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from pgkeel.backup.fetching import fetch_open_segment, fetch_segment
from pgkeel.backup.lsn import SEGMENT_BYTES, next_segment, segment_end, segment_name, segment_start
from pgkeel.backup.wal_index import Piece, Segment
from pgkeel.core.repository import Repository
from pgkeel.core.secret import Secret

__all__ = ["Archive", "gather"]

_HEADER = struct.Struct("<HHIQ")  # magic, info, timeline, page address (xlog_internal.h)
_PARTIAL = ".partial"


class Archive(msgspec.Struct, frozen=True):
    """Where WAL of a cluster can be found.

    Attributes:
        repositories: Each part is taken from the first that has it whole.
        identity: What opens them.
        segments: Rows of their index.
        pieces: What was shipped of open segments.
        folders: Folders of plain segments, the most trusted first: received ones, and the server's own `pg_wal`.
        fetch: Writes a segment that another tool keeps, and says whether it has it.
    """

    repositories: Sequence[Repository]
    identity: Secret
    segments: tuple[Segment, ...] = ()
    pieces: tuple[Piece, ...] = ()
    folders: tuple[Path, ...] = ()
    fetch: Callable[[str, Path], bool] | None = None

    @property
    def size(self) -> int:
        """Bytes a segment."""
        known = [row.bytes for row in self.segments[:1]] + [row.segment_bytes for row in self.pieces[:1]]
        here = (path.stat().st_size for folder in self.folders for path in folder.glob("[0-9A-F]" * 24))
        return (known or [next(here, SEGMENT_BYTES)])[0]


def gather(archive: Archive, timeline: int, start: int, until: int | None, place: Path) -> int:
    """Fill a folder with the segments of a timeline from a position on, up to a position or to the first that is nowhere.

    What lies in the folder already stays. A segment from a repository is proved by its hash; the others are read record by record
    before anything rests on them (`require_whole`).

    Returns:
        The position after the last segment that was found.

    Raises:
        Damaged: A stored segment is whole in no repository.
        WrongKey: The identity does not open it.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    size, rows = archive.size, {row.name: row for row in archive.segments if row.timeline == timeline}
    name = segment_name(timeline, start, size=size)
    while until is None or segment_start(name, size=size) <= until:
        if not (place / name).is_file() and not _bring(archive, name, rows.get(name), place / name, size):
            break
        name = next_segment(name, size=size)
    return segment_end(name, size=size) - size


def _bring(archive: Archive, name: str, row: Segment | None, destination: Path, size: int) -> bool:
    if row is not None:
        fetch_segment(row, archive.repositories, archive.identity, destination)
        return True
    if archive.fetch is not None and archive.fetch(name, destination):
        return True
    here = next((path for path in _plain(archive.folders, name) if _is_written(path, name, size)), None)
    if here is not None:
        shutil.copyfile(here, destination)
        return True
    pieces = [piece for piece in archive.pieces if piece.segment == name]
    if pieces:
        fetch_open_segment(pieces, archive.repositories, archive.identity, destination)
    return bool(pieces)


def _plain(folders: Sequence[Path], name: str) -> list[Path]:
    """Return the files of a segment, closed ones first; the server's own one is ahead of what was received of it."""
    closed = [folder / name for folder in folders]
    return [path for path in (*closed, *(folder / f"{name}{_PARTIAL}" for folder in folders)) if path.is_file()]


def _is_written(path: Path, name: str, size: int) -> bool:
    """Return whether a file holds the segment that its name says; a recycled one still holds an older segment."""
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
    return len(head) == _HEADER.size and int(_HEADER.unpack(head)[3]) == segment_start(name, size=size)
