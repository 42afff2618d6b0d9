"""Bring received WAL into a repository: closed segments whole, what is filled of the open one in pieces.

A segment is checked, sealed, and stored before its row; its file goes after its row. Whoever is killed in between is
repeated by the next one: what lies there already is proved to have the same content.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pgkeel.backup.envelope import read_fact
from pgkeel.backup.errors import Damaged, KeyTaken
from pgkeel.backup.places import history_key, piece_key, pieces_folder, segment_key
from pgkeel.backup.sealing import Part, seal, writer_of
from pgkeel.backup.spool import OpenSegment, Spool
from pgkeel.backup.tools import Tools
from pgkeel.backup.wal_index import Piece, Segment, store_piece, store_segment
from pgkeel.backup.waldump import Contents, contents_of
from pgkeel.core import clock
from pgkeel.core.log import get_logger
from pgkeel.core.repository import Repository

__all__ = ["Archived", "Archiver"]

log = get_logger(__name__)


class Archived(msgspec.Struct, frozen=True):
    """What one round stored.

    Attributes:
        segments: Closed segments.
        bytes: Of them and of pieces, in clear.
        damaged: Names of segments that failed their check and were set aside.
    """

    segments: tuple[str, ...] = ()
    bytes: int = 0
    damaged: tuple[str, ...] = ()


class Archiver:
    """Empties one cluster's spool into one repository; only one process may do so at a time."""

    def __init__(self, spool: Spool, system: str, repository: Repository, recipients: Sequence[str], tools: Tools) -> None:
        """Take what to read, where to store and for whom to encrypt.

        Args:
            spool: The receiver's folder.
            system: The cluster's system identifier.
            repository: The one that is written to first.
            recipients: Who can open the WAL.
            tools: Of the server's major.
        """
        self._spool = spool
        self._system = system
        self._repository = repository
        self._recipients = recipients
        self._tools = tools
        self._shipped: dict[str, int] = {}

    def run(self) -> Archived:
        """Store every closed segment and history file, delete their files, and return what was stored.

        Raises:
            RepositoryUnreachable: Nobody answers; the files wait.
            RepositoryFailed: The repository is full or refuses; the files wait.
            KeyTaken: Another cluster, or a copy of this one, archives into the same place.
        """
        for history in self._spool.histories():
            self._store_history(history)
        stored, damaged, size = [], [], 0
        for path in self._spool.closed():
            if self._store_closed(path):
                stored.append(path.name)
                size += path.stat().st_size
                path.unlink()
            else:
                damaged.append(path.name)
        return Archived(tuple(stored), size, tuple(damaged))

    def ship(self) -> int:
        """Store what is new in the open segment and return how many bytes; what a closed one leaves behind is deleted later."""
        return sum(self._ship(segment) for segment in self._spool.open_segments())

    def _store_history(self, path: Path) -> None:
        key = history_key(self._system, int(path.name[:8], 16))
        if not self._repository.put(key, path.read_bytes()) and self._repository.get(key) != path.read_bytes():
            raise _taken(self._repository, key)
        # pg_receivewal asks for it again when it is gone, and it is small: it stays

    def _store_closed(self, path: Path) -> bool:
        """Return whether the segment is stored; a damaged one is set aside."""
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        key = segment_key(self._system, path.name)
        if self._is_stored(key, digest):
            return True
        try:
            contents = contents_of(path, self._tools)
        except Damaged as err:
            log.warning("wal.damaged", segment=path.name, error=err.message)
            self._spool.set_aside(path)
            return False
        store_segment(self._repository, _row(path.name, self._system, content, digest, contents, self._seal(key, content)))
        self._delete_pieces(path.name)
        return True

    def _is_stored(self, key: str, digest: str) -> bool:
        if self._repository.get(f"{key}.json") is None:
            return False
        if read_fact(self._repository, f"{key}.json", Segment).sha256 != digest:
            raise _taken(self._repository, key)
        return True

    def _seal(self, key: str, content: bytes) -> tuple[Part, ...]:
        """Seal it; parts that a killed run left are other bytes of the same content and make way: no row names them."""
        try:
            return seal(writer_of(content), key=key, repositories=[self._repository], recipients=self._recipients)
        except KeyTaken:
            for stored in list(self._repository.list(key.rpartition("/")[0])):
                if stored.key.startswith(f"{key}.") and stored.key.removeprefix(f"{key}.").isdecimal():
                    self._repository.delete(stored.key)
            return seal(writer_of(content), key=key, repositories=[self._repository], recipients=self._recipients)

    def _ship(self, segment: OpenSegment) -> int:
        start = self._shipped.get(segment.name)
        if start is None:
            start = self._resume(segment.name)
        try:
            content = segment.filled(start)
            if content:
                self._store_piece(segment, start, content)
        except FileNotFoundError:  # it was closed meanwhile
            return 0
        self._shipped[segment.name] = start + len(content)
        return len(content)

    def _resume(self, name: str) -> int:
        """Return up to where an earlier process shipped the segment."""
        folder = pieces_folder(self._system, name)
        rows = [stored.key for stored in self._repository.list(folder) if stored.key.endswith(".json")]
        return max((read_fact(self._repository, key, Piece).end for key in rows), default=0)

    def _store_piece(self, segment: OpenSegment, start: int, content: bytes) -> None:
        parts = self._seal(piece_key(self._system, segment.name, start), content)
        digest, size = hashlib.sha256(content).hexdigest(), segment.path.stat().st_size
        piece = Piece(segment.name, self._system, size, start, start + len(content), digest, clock.now(), parts)
        store_piece(self._repository, piece)

    def _delete_pieces(self, name: str) -> None:
        """Delete what was shipped of a segment that is stored whole now."""
        for stored in list(self._repository.list(pieces_folder(self._system, name))):
            self._repository.delete(stored.key)
        self._shipped.pop(name, None)


def _row(name: str, system: str, content: bytes, digest: str, contents: Contents, parts: tuple[Part, ...]) -> Segment:
    times, last = contents.times, contents.commits[-1] if contents.commits else None
    return Segment(
        name=name,
        system_identifier=system,
        bytes=len(content),
        sha256=digest,
        commits=len(times),
        first_commit_at=times[0] if times else None,
        last_commit_at=last.at if last else None,
        earliest_commit_at=min(times, default=None),
        latest_commit_at=max(times, default=None),
        last_commit_xid=last.xid if last else None,
        last_commit_lsn=last.lsn if last else None,
        is_monotonic=contents.is_monotonic,
        restore_points=contents.restore_points,
        parts=parts,
    )


def _taken(repository: Repository, key: str) -> KeyTaken:
    return KeyTaken(
        f"repository {repository.name}: other WAL lies under {key}",
        hint="a copy of this cluster archives here too: give each a repository of its own",
    )
