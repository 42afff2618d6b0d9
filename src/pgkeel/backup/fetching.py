"""Bring what a repository holds back as files: a backup as a directory, a WAL segment as the server wrote it."""

import hashlib
import os
import re
import tarfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, cast

import msgspec

from pgkeel.backup.clear import fetch_clear
from pgkeel.backup.disk import start_writing
from pgkeel.backup.errors import Damaged
from pgkeel.backup.pipes import Ahead
from pgkeel.backup.records import Record
from pgkeel.backup.relations import Relations
from pgkeel.backup.sealing import Count, Part, unseal
from pgkeel.backup.wal_index import Piece, Segment
from pgkeel.core.errors import Refused
from pgkeel.core.files import sync_folder
from pgkeel.core.repository import Repository
from pgkeel.core.secret import Secret

__all__ = ["NotEmpty", "fetch_backup", "fetch_manifest", "fetch_open_segment", "fetch_relations", "fetch_sealed", "fetch_segment"]

_BUFFER = 2**18
_STRETCH = 2**23
_MANIFEST = "backup_manifest"
_NO_BLOCKS = 12  # bytes of a file that was sent by blocks, of which none had changed
_OF_RELATION = re.compile(r"(global|base/\d+|PG_\d+_\d+/\d+)/(INCREMENTAL\.)?t?\d+(_\w+)?(\.\d+)?", re.ASCII)


class NotEmpty(Refused):
    """The destination exists and is not empty; nothing is ever restored over data."""

    code = "not_empty"


def fetch_backup(
    record: Record,
    repositories: Sequence[Repository],
    identity: Secret,
    destination: Path,
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    aside: dict[str, bytes] | None = None,
) -> None:
    """Unpack a backup's tars into a directory: a data directory with its own WAL and `backup_manifest` in it.

    Of an incremental backup it is what `pg_combinebackup` takes as an input. Tablespaces become directories below `pg_tblspc`.
    Files belong to the caller; nothing is synced.

    Args:
        record: Which backup.
        repositories: Each part is taken from the first one that has it whole.
        identity: What opens it.
        destination: Missing or empty; its parent exists.
        progress: Hears how many of the stored bytes were read.
        aside: Gets the files of relations that hold nothing, or no block, as path and content; then they are not made.

    Raises:
        NotEmpty: There is something in the destination.
        Damaged: A part is whole in no repository; what lies in the destination then is not to be used.
        WrongKey: The identity does not open it.
    """
    destination.mkdir(mode=0o700, exist_ok=True)
    if any(destination.iterdir()):
        raise NotEmpty(f"{destination} is not empty", hint="name a new directory")

    kind = tarfile.TarFile if record.kind == "incremental" else _Tar  # most of an incremental one is read and deleted
    unpack = partial(_unpack, destination, kind, aside)
    tablespaces = [(destination / "pg_tblspc" / str(one.oid), one.parts) for one in record.tablespaces]
    count = Count((part for parts in (record.parts, *(parts for _, parts in tablespaces)) for part in parts), progress)
    unseal(repositories, count.of(record.parts), identity=identity, read=partial(unpack, destination))
    for place, parts in tablespaces:
        place.mkdir(mode=0o700)
        unseal(repositories, count.of(parts), identity=identity, read=partial(unpack, place))
    if record.manifest and not (destination / _MANIFEST).exists():  # it was in the tar when pgkeel compressed it by itself
        (destination / _MANIFEST).write_bytes(fetch_manifest(record, repositories))


def _unpack(
    destination: Path, kind: type[tarfile.TarFile], aside: dict[str, bytes] | None, place: Path, source: IO[bytes]
) -> None:
    with Ahead(source) as ahead, kind(fileobj=_Forward(ahead), copybufsize=_BUFFER) as archive:  # type: ignore[arg-type]
        members = None if aside is None else _kept_aside(archive, aside, place.relative_to(destination))
        archive.extractall(place, members, filter="tar")  # filtered  # nosec B202


def _kept_aside(archive: tarfile.TarFile, aside: dict[str, bytes], place: Path) -> Iterator[tarfile.TarInfo]:
    """Yield what is to be made."""
    for member in archive:
        content = archive.extractfile(member) if _holds_nothing(member) else None
        if content is None:
            yield member
        else:
            aside[(place / member.name).as_posix()] = content.read()


def _holds_nothing(member: tarfile.TarInfo) -> bool:
    found = _OF_RELATION.fullmatch(member.name) if member.isreg() else None
    return found is not None and member.size in ({0, _NO_BLOCKS} if found[2] else {0})


def fetch_manifest(record: Record, repositories: Sequence[Repository]) -> bytes:
    """Return a backup's `backup_manifest`; no key is needed.

    Raises:
        Damaged: It is whole in no repository.
    """
    return fetch_clear(repositories, record.manifest)


def fetch_relations(record: Record, repositories: Sequence[Repository], identity: Secret) -> Relations:
    """Return which file was which table when a backup was taken.

    Raises:
        Damaged: It is whole in no repository.
        WrongKey: The identity does not open it.
    """
    return msgspec.json.decode(fetch_sealed(record.relations, repositories, identity), type=Relations)


def fetch_sealed(parts: Sequence[Part], repositories: Sequence[Repository], identity: Secret) -> bytes:
    """Return the clear content of a sealed object that is small enough for memory.

    Raises:
        Damaged: It is whole in no repository.
        WrongKey: The identity does not open it.
    """
    got: list[bytes] = []
    unseal(repositories, parts, identity=identity, read=lambda source: got.append(source.read()))
    return b"".join(got)


def fetch_segment(segment: Segment, repositories: Sequence[Repository], identity: Secret, destination: Path) -> None:
    """Write a closed segment under its name, proved by its hash; it appears whole or not at all.

    Args:
        segment: Its row of the index.
        repositories: Each part is taken from the first one that has it whole.
        identity: What opens it.
        destination: The file to write; one that exists is replaced.

    Raises:
        Damaged: It is whole in no repository.
        WrongKey: The identity does not open it.
    """
    content = fetch_sealed(segment.parts, repositories, identity)
    _require(content, segment.sha256, segment.name)
    _write(destination, content)


def fetch_open_segment(pieces: Sequence[Piece], repositories: Sequence[Repository], identity: Secret, destination: Path) -> int:
    """Write what was shipped of a segment that was open, filled up with zeros as the server does, and return the bytes in it.

    Args:
        pieces: Of one segment, from offset 0 on and without a hole: those of a `Span`.
        repositories: Each part is taken from the first one that has it whole.
        identity: What opens it.
        destination: The file to write; one that exists is replaced.

    Raises:
        Damaged: A piece is whole in no repository.
        WrongKey: The identity does not open it.
    """
    content = b""
    for piece in pieces:
        got = fetch_sealed(piece.parts, repositories, identity)
        _require(got, piece.sha256, f"{piece.segment} from {piece.start}")
        content += got
    _write(destination, content.ljust(pieces[0].segment_bytes, b"\0"))
    return len(content)


class _Tar(tarfile.TarFile):
    """A tar whose files go to the disk while they are unpacked, so that whoever syncs them later does not wait for all of it."""

    def makefile(self, tarinfo: tarfile.TarInfo, targetpath: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> None:
        """Write one file; `tarfile` leaves this to subclasses."""
        source = cast("IO[bytes]", self.fileobj)
        source.seek(tarinfo.offset_data)
        with open(targetpath, "wb") as target:  # noqa: PTH123 - the name that tarfile made
            for start in range(0, tarinfo.size, _STRETCH):
                stretch = min(_STRETCH, tarinfo.size - start)
                _copy(source, target, stretch)
                start_writing(target, start, stretch)


def _copy(source: IO[bytes], target: IO[bytes], size: int) -> None:
    while size:
        content = source.read(min(size, _BUFFER))
        if not content:
            raise tarfile.ReadError("unexpected end of data")
        target.write(content)
        size -= len(content)


class _Forward:
    """A stream as `tarfile` reads a file that it need not seek back in; its own streams copy a whole buffer for every read."""

    mode = "r"

    def __init__(self, source: Ahead) -> None:
        self._source, self._at = source, 0

    def read(self, size: int) -> bytes | memoryview:
        content = self._source.read(size)
        self._at += len(content)
        return bytes(content) if size <= tarfile.BLOCKSIZE else content

    def tell(self) -> int:
        return self._at

    def seek(self, place: int) -> None:
        while self._at < place and self.read(min(place - self._at, _BUFFER)):
            pass


def _require(content: bytes, sha256: str, name: str) -> None:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Damaged(f"WAL segment {name}: its content has another SHA-256", data={"object": name, "reason": "another content"})


def _write(destination: Path, content: bytes) -> None:
    fresh = destination.with_name(f".{destination.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(destination)
    sync_folder(destination.parent)
