"""Bring WAL together in one folder of plain segments: from repositories, from what was received, and from the server."""

import contextlib
import hashlib
import os
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from pgkeel.backup.errors import Damaged
from pgkeel.backup.fetching import fetch_open_segment, fetch_segment
from pgkeel.backup.lsn import SEGMENT_BYTES, next_segment, segment_end, segment_name, segment_start
from pgkeel.backup.wal_index import Piece, Segment, read_segment
from pgkeel.core.errors import KeelError
from pgkeel.core.repository import Repository
from pgkeel.core.secret import Secret

__all__ = ["Archive", "gather", "known_after"]

_HEADER = struct.Struct("<HHIQ")  # magic, info, timeline, page address (xlog_internal.h)
_PARTIAL = ".partial"
_STEP = 2**20


class Archive(msgspec.Struct, frozen=True):
    """Where WAL of a cluster can be found.

    Attributes:
        repositories: Each part is taken from the first that has it whole.
        identity: What opens them.
        segments: Rows of their index.
        pieces: What was shipped of open segments.
        folders: Folders of plain segments, the most trusted first: received ones, and the server's own `pg_wal`.
        fetch: Writes a segment that another tool keeps, and says whether it has it.
        system: The cluster's system identifier: what is archived while WAL is gathered is found too; "" where nothing is.
    """

    repositories: Sequence[Repository]
    identity: Secret
    segments: tuple[Segment, ...] = ()
    pieces: tuple[Piece, ...] = ()
    folders: tuple[Path, ...] = ()
    fetch: Callable[[str, Path], bool] | None = None
    system: str = ""

    @property
    def size(self) -> int:
        """Bytes a segment."""
        known = [row.bytes for row in self.segments[:1]] + [row.segment_bytes for row in self.pieces[:1]]
        here = (path.stat().st_size for folder in self.folders for path in folder.glob("[0-9A-F]" * 24))
        return (known or [next(here, SEGMENT_BYTES)])[0]


def gather(
    archive: Archive,
    timeline: int,
    start: int,
    until: int | None,
    place: Path,
    *,
    hear: Callable[[Damaged], None] | None = None,
) -> int:
    """Fill a folder with the segments of a timeline from a position on, up to a position or to the first that is nowhere.

    What lies in the folder already stays. A segment from a repository is proved by its hash; the others are read record by record
    before anything rests on them (`require_whole`).

    Args:
        archive: Where they are.
        timeline: The timeline.
        start: Byte position in the first one.
        until: Byte position in the last one, or None.
        place: The folder.
        hear: Hears of a stored segment that is whole nowhere, which then is as one that is nowhere.

    Returns:
        The position after the last segment that was found.

    Raises:
        Damaged: A stored segment is whole nowhere, and nobody hears of it.
        WrongKey: The identity does not open it.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    size, rows = archive.size, {row.name: row for row in archive.segments if row.timeline == timeline}
    name = segment_name(timeline, start, size=size)
    while until is None or segment_start(name, size=size) <= until:
        try:
            if not (place / name).is_file() and not _bring(archive, name, rows.get(name), place / name, size):
                break
        except Damaged as err:
            if hear is None:
                raise
            hear(err)
            break
        name = next_segment(name, size=size)
    return segment_end(name, size=size) - size


def known_after(archive: Archive, timeline: int, end: int) -> str | None:
    """Return a segment behind the one that was not found at a position, or None where the WAL ends there."""
    size = archive.size
    last = segment_name(timeline, end, size=size)
    if _lies(archive, last, size):
        return None  # the server has gone on meanwhile; what it wrote may be archived by now too
    stored = [row.name for row in archive.segments] + [piece.segment for piece in archive.pieces]
    plain = [path.name for folder in archive.folders for path in folder.glob(f"{timeline:08X}" + "[0-9A-F]" * 16)]
    later = sorted({name for name in (*stored, *plain) if name[:8] == last[:8] and name > last})
    found = next((name for name in later if name in stored or _lies(archive, name, size)), None)
    return None if found is None or _archived_since(archive, last) is not None else found


def _lies(archive: Archive, name: str, size: int) -> bool:
    for path in _plain(archive.folders, name):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            if _is_written(file.read(_HEADER.size), name, size):
                return True
    return False


def _bring(archive: Archive, name: str, row: Segment | None, destination: Path, size: int) -> bool:
    if row is not None:
        _fetch(archive, row, destination)
        return True
    if archive.fetch is not None and archive.fetch(name, destination):
        return True
    if any(_copied(path, name, size, destination) for path in _plain(archive.folders, name)):
        return True
    row = _archived_since(archive, name)
    if row is not None:
        fetch_segment(row, archive.repositories, archive.identity, destination)
        return True
    pieces = [piece for piece in archive.pieces if piece.segment == name]
    if pieces:
        fetch_open_segment(pieces, archive.repositories, archive.identity, destination)
    return bool(pieces)


def _fetch(archive: Archive, row: Segment, destination: Path) -> None:
    """Take a segment from a repository, or where it is whole in none from a folder that has the same bytes."""
    try:
        fetch_segment(row, archive.repositories, archive.identity, destination)
    except Damaged:
        for path in _plain(archive.folders, row.name):
            if _copied(path, row.name, row.bytes, destination):
                if hashlib.sha256(destination.read_bytes()).hexdigest() == row.sha256:
                    return
                destination.unlink()
        raise


def _archived_since(archive: Archive, name: str) -> Segment | None:
    """Return the row of a segment that went from the receiver's folder into a repository after the index was read."""
    for repository in archive.repositories if archive.system else ():
        with contextlib.suppress(KeelError):
            found = read_segment(repository, archive.system, name)
            if found is not None:
                return found
    return None


def _plain(folders: Sequence[Path], name: str) -> list[Path]:
    """Return where a segment may lie, closed ones first; the server's own one is ahead of what was received of it.

    All of it twice: one that was closed, and so renamed, meanwhile is found the second time.
    """
    return 2 * [folder / file for file in (name, f"{name}{_PARTIAL}") for folder in folders]


def _copied(path: Path, name: str, size: int, destination: Path) -> bool:
    """Copy a file that holds the segment which its name says, and return whether it was there until the copy was whole.

    Others work on these files: the archiver deletes what it has stored, and the server makes a later segment of an old one.
    """
    fresh = destination.with_name(f".{destination.name}.new")
    try:
        with path.open("rb") as source:
            if not _is_written(source.read(_HEADER.size), name, size):
                return False
            source.seek(0)
            with fresh.open("wb") as target:
                shutil.copyfileobj(source, target, _STEP)
            if not os.path.samestat(os.fstat(source.fileno()), path.stat()):
                return False
    except FileNotFoundError:
        return False
    fresh.replace(destination)
    return True


def _is_written(head: bytes, name: str, size: int) -> bool:
    """Return whether a file begins as the segment that its name says; a recycled one still holds an older segment."""
    return len(head) == _HEADER.size and int(_HEADER.unpack(head)[3]) == segment_start(name, size=size)
