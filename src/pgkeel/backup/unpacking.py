"""Unpack a tar while it arrives: each piece of it goes to the disk as it came, and whoever measures it sees it on the way.

`tarfile` asks the file system eight times before it makes a file, and copies what it reads; a backup has a thousand files.
"""

import os
import tarfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Protocol

from pgkeel.backup.disk import start_writing
from pgkeel.backup.errors import Damaged
from pgkeel.backup.pipes import Ahead

__all__ = ["Content", "Files", "Written", "pour", "unpack"]

_STRETCH = 2**23
_AT_ONCE = 16  # pieces a call
_AHEAD = 2**22
_MODES = 0o755


class Content:
    """What a file holds, as it arrives; whoever takes the file reads all of it.

    Attributes:
        left: Bytes that were not read yet.
        heard: Gets each piece that is read.
    """

    def __init__(self, stream: Ahead, size: int) -> None:
        """Take the stream that stands at the file's first byte."""
        self._stream = stream
        self.left = size
        self.heard: Callable[[bytes], object] = lambda _piece: None

    def pieces(self, size: int | None = None) -> Iterator[bytes]:
        """Yield the next bytes, all that are left when no number is given.

        Raises:
            Damaged: The stream ended within them.
        """
        wanted = self.left if size is None else min(size, self.left)
        self.left -= wanted
        for piece in self._stream.pieces(wanted):
            wanted -= len(piece)
            self.heard(piece)
            yield piece
        if wanted:
            raise Damaged("a tar of the backup ends within a file")

    def read(self, size: int) -> bytes:
        """Return the next bytes, fewer where fewer are left.

        Raises:
            Damaged: The stream ended within them.
        """
        return b"".join(self.pieces(size))


class Files(Protocol):
    """What takes the files of a backup; paths are relative, folders come before what is in them.

    Attributes:
        ahead: Bytes that may be read before they are asked for.
    """

    ahead: int

    def begin(self, manifest: bytes) -> None:
        """Take the backup's manifest, before anything else."""

    def folder(self, name: str, mode: int) -> None:
        """Take a folder."""

    def file(self, name: str, mode: int, content: Content) -> None:
        """Take a file."""


class Written:
    """Makes the files in a folder."""

    ahead = _AHEAD

    def __init__(self, place: Path) -> None:
        """Take the folder, which is there and empty when the first file comes."""
        self._place = place

    def begin(self, manifest: bytes) -> None:
        """Write the manifest as a file."""
        (self._place / "backup_manifest").write_bytes(manifest)

    def folder(self, name: str, mode: int) -> None:
        """Make a folder."""
        path = os.path.join(self._place, name)  # noqa: PTH118 - a million files
        os.mkdir(path, mode)  # noqa: PTH102

    def file(self, name: str, mode: int, content: Content) -> None:
        """Write a file, which goes to the disk meanwhile, so that whoever syncs it later does not wait for all of it."""
        path = os.path.join(self._place, name)  # noqa: PTH118 - a million files
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            pour(content.pieces(), target)
        finally:
            os.close(target)


def pour(pieces: Iterator[bytes], target: int, start: int = 0) -> None:
    """Write pieces into an open file from an offset on."""
    at = begun = start
    while some := list(islice(pieces, _AT_ONCE)):
        at += _write(some, target, at)
        if at - begun >= _STRETCH:
            start_writing(target, begun, at - begun)
            begun = at


def unpack(stream: Ahead, files: Files, place: str = "") -> None:
    """Hand all that a tar holds to what takes it.

    Args:
        stream: The tar, which is read to its end.
        files: What takes folders and files.
        place: Folder that the tar's names are below.

    Raises:
        Damaged: It is no tar, is cut short, leads elsewhere, or holds what no data directory does.
    """
    while member := _next(stream):
        name = _below(place, member)
        if member.isdir():
            files.folder(name, member.mode & _MODES)
            continue
        content = Content(stream, member.size)
        files.file(name, member.mode & _MODES, content)
        if content.left:
            raise AssertionError(name)  # what follows would be read as another file
        stream.read(-member.size % tarfile.BLOCKSIZE)
    for _ in stream.pieces(2**63):
        pass


def _next(stream: Ahead) -> tarfile.TarInfo | None:
    head = stream.read(tarfile.BLOCKSIZE)
    if head == bytes(tarfile.BLOCKSIZE):
        return None
    try:
        return tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError as err:
        raise Damaged(f"a tar of the backup cannot be read: {err}") from err


def _below(place: str, member: tarfile.TarInfo) -> str:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not path.parts or not (member.isdir() or member.isreg()):
        raise Damaged(f"a tar of the backup holds {member.name!r}, which no data directory does")
    return f"{place}/{path}" if place else str(path)


def _write(pieces: list[bytes], target: int, at: int) -> int:
    size = sum(map(len, pieces))
    done = os.pwritev(target, pieces, at)
    while done < size:  # the disk is full, or the account's limit is reached: the next one says so
        done += os.pwrite(target, b"".join(pieces)[done:], at + done)
    return size
