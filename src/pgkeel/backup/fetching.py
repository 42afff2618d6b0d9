"""Bring what a repository holds back as files: a backup as a directory, a WAL segment as the server wrote it."""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import msgspec

from pgkeel.backup.clear import fetch_clear
from pgkeel.backup.errors import Damaged
from pgkeel.backup.pipes import Ahead
from pgkeel.backup.records import Record
from pgkeel.backup.relations import Relations
from pgkeel.backup.sealing import Count, Part, unseal
from pgkeel.backup.unpacking import Files, Written, unpack
from pgkeel.backup.wal_index import Piece, Segment
from pgkeel.core.errors import Refused
from pgkeel.core.files import sync_folder
from pgkeel.core.repository import Repository
from pgkeel.core.secret import Secret

__all__ = ["NotEmpty", "fetch_backup", "fetch_manifest", "fetch_open_segment", "fetch_relations", "fetch_sealed", "fetch_segment"]


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
    files: Files | None = None,
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
        files: Takes the files instead, and the manifest before them; the destination then stays empty but for what it makes.

    Raises:
        NotEmpty: There is something in the destination.
        Damaged: A part is whole in no repository; what lies in the destination then is not to be used.
        WrongKey: The identity does not open it.
    """
    destination.mkdir(mode=0o700, exist_ok=True)
    if any(destination.iterdir()):
        raise NotEmpty(f"{destination} is not empty", hint="name a new directory")

    taker = files or Written(destination)
    if record.manifest:
        taker.begin(fetch_manifest(record, repositories))
    others = [(f"pg_tblspc/{one.oid}", one.parts) for one in record.tablespaces]
    count = Count((part for parts in (record.parts, *(parts for _, parts in others)) for part in parts), progress)
    unseal(repositories, count.of(record.parts), identity=identity, read=partial(_unpack, taker, ""))
    for place, parts in others:
        taker.folder(place, 0o700)
        unseal(repositories, count.of(parts), identity=identity, read=partial(_unpack, taker, place))


def _unpack(files: Files, place: str, source: IO[bytes]) -> None:
    with Ahead(source, files.ahead) as ahead:
        unpack(ahead, files, place)


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
