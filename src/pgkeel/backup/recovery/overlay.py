"""Lay an incremental backup over the full one it builds on, while it is read: none of its files is made, none is copied.

`pg_combinebackup` writes every byte again where the file system cannot share it. Here the blocks go from the stream to where it
would put them, and at the end it says, in a dry run, whether the two belong together. What is unknown here is left to it.

A file of which an incremental backup holds blocks begins with three words of 32 bits: a magic number, how many blocks there are,
and how many of the older file's blocks are left; then come the blocks' numbers, zeros up to a whole block, and the blocks
(PostgreSQL 17 and 18, `reconstruct.c` of pg_combinebackup).
"""

import os
from array import array
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from pgkeel.backup.recovery.listing import Made, Sources, differ, outcome_of
from pgkeel.backup.recovery.manifest import checksum_of, document_of, path_of
from pgkeel.backup.recovery.mixing import mix
from pgkeel.backup.tools import Tools, tool
from pgkeel.backup.unpacking import Content, Written, pour

__all__ = ["Laid", "UnknownForm"]

_MAGIC = 0xD3AE1F0D
_WORDS, _WORD = 3, 4
_LABEL, _MANIFEST = "backup_label", "backup_manifest"
_LOOKED_AT = (_LABEL, "PG_VERSION", "global/pg_control")  # by pg_combinebackup, in both, before it begins
_OF_INCREMENTAL = (b"INCREMENTAL FROM LSN: ", b"INCREMENTAL FROM TLI: ")  # lines that a whole backup's label does not have
_BLOCK_SIZE = "Database block size:"
_AHEAD = 2**26


class UnknownForm(Exception):
    """A file of an incremental backup is of a form that is not known here; the full one is used up."""


class _Blocks(msgspec.Struct, frozen=True):
    """The head of a file that was sent by blocks.

    Attributes:
        numbers: Where its blocks belong.
        left: How many of the older file's blocks stay.
    """

    numbers: "array[int]"
    left: int

    @property
    def length(self) -> int:
        """Blocks of the outcome."""
        return max(self.left, max(self.numbers, default=-1) + 1)


class Laid:
    """Takes the files of an incremental backup and makes the full one what the two come to; nothing is synced.

    When it is interrupted, both are to be brought again.

    Attributes:
        ahead: Bytes that may be read while the full one is not whole yet.
        has_begun: Whether anything came.
    """

    ahead = _AHEAD

    def __init__(self, base: Path, beside: Path, tools: Tools, wait: Callable[[], None]) -> None:
        """Take the two places; nothing is looked at before the first file comes.

        Args:
            base: The full backup.
            beside: A folder for what must be looked at before it replaces what the full one has.
            tools: Those of the server's major.
            wait: Returns when the full one is whole.
        """
        self._base, self._beside, self._tools, self._wait = base, beside, tools, wait
        self._aside = Written(beside)
        self._old: dict[str, None] | None = None  # files, then folders, the inner ones first
        self._kept: set[str] = set()
        self._same: set[str] = set()  # files that were sent by blocks, of which none had changed
        self._made: dict[str, Made] = {}  # those of which some had
        self._listed: dict[str, Mapping[str, Any]] = {}
        self._block = 0
        self.has_begun = False

    def begin(self, manifest: bytes) -> None:
        """Keep the manifest: `pg_combinebackup` looks at it."""
        self.has_begun = True
        self._aside.begin(manifest)

    def folder(self, name: str, mode: int) -> None:
        """Make a folder where it is missing."""
        self._look()
        self._kept.add(name)
        self._aside.folder(name, mode)
        if not (self._base / name).is_dir():
            (self._base / name).mkdir(mode)

    def file(self, name: str, mode: int, content: Content) -> None:
        """Put blocks where they belong, or write a file that was sent whole.

        Raises:
            UnknownForm: It is neither.
            FilesDiffer: The older file is not any more what was unpacked.
        """
        old = self._look()
        if name in _LOOKED_AT:
            self._aside.file(name, mode, content)
        elif (outcome := outcome_of(name)) != name:
            if outcome not in old:
                raise UnknownForm(name)
            self._put_blocks(outcome, content)
            self._kept.add(outcome)
        else:
            _replace(os.path.join(self._base, name), mode, content)  # noqa: PTH118 - a million files
            self._kept.add(name)

    def finish(self) -> Sources:
        """Let PostgreSQL say that the two belong together, remove what the outcome has not, and return what it is made of.

        Raises:
            ToolFailed: `pg_combinebackup` would not put the two together.
        """
        nowhere = self._base.with_name("nowhere")
        tool(self._tools, "pg_combinebackup", "--dry-run", "--no-manifest", self._base, self._beside, f"--output={nowhere}")
        full, newer = ((place / _MANIFEST).read_bytes() for place in (self._base, self._beside))
        for name in [name for name in self._look() if name not in {*self._kept, *_LOOKED_AT}]:
            (self._base / name).rmdir() if (self._base / name).is_dir() else (self._base / name).unlink()
        label = self._beside / _LABEL
        lines = label.read_bytes().splitlines(keepends=True)
        kept = b"".join(line for line in lines if not line.startswith(_OF_INCREMENTAL))
        label.write_bytes(kept)
        for name in _LOOKED_AT:
            (self._beside / name).replace(self._base / name)
        return Sources(full, newer, frozenset(self._same), self._made | {_LABEL: Made(len(kept), checksum_of(kept))})

    def _look(self) -> dict[str, None]:
        """Return what the full backup holds, once it is whole."""
        if self._old is None:
            self.has_begun = True
            self._wait()
            folders, files = _tree(self._base)
            self._old = dict.fromkeys([*files, *reversed(folders)])
            self._block = _block_size(self._base, self._tools)
        return self._old

    def _put_blocks(self, name: str, content: Content) -> None:
        head = _head(content, self._block)
        target = os.open(os.path.join(self._base, name), os.O_RDWR | os.O_CLOEXEC)  # noqa: PTH118 - a million files
        try:
            size = os.fstat(target).st_size
            if not head.numbers and size == head.left * self._block == head.length * self._block:
                self._same.add(name)
                return
            kept, length = min(size // self._block, head.left) * self._block, head.length * self._block
            mixed = mix(content, head.numbers, target, kept=kept, length=length, block=self._block)
        finally:
            os.close(target)
        self._require_unchanged(name, size, mixed.older)
        self._made[name] = Made(mixed.size, mixed.checksum)

    def _require_unchanged(self, name: str, size: int, checksum: str) -> None:
        """Prove that what was read of the older file is what the full backup's manifest lists, which it was when it came."""
        if not self._listed:
            listed = document_of((self._base / _MANIFEST).read_bytes())["Files"]
            self._listed = {path_of(one): one for one in listed}
        one = self._listed.get(name, {})
        is_known = one.get("Checksum-Algorithm") == "CRC32C"
        if size != one.get("Size", size) or (is_known and checksum != one.get("Checksum")):
            raise differ(f'checksum mismatch for file "{name}" of the full backup')


def _replace(path: str, mode: int, content: Content) -> None:
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        pour(content.pieces(), target)
    finally:
        os.close(target)


def _head(content: Content, block: int) -> _Blocks:
    """Read the head of a file that was sent by blocks.

    Raises:
        UnknownForm: It is not of the form that is known here.
    """
    size, words = content.left, array("I")
    words.frombytes(content.read(_WORDS * _WORD).ljust(_WORDS * _WORD, b"\0"))
    magic, count, left = words
    begin = (_WORDS + count) * _WORD
    fill = -begin % block if count else 0
    if magic != _MAGIC or size != begin + fill + count * block:
        raise UnknownForm
    numbers = array("I", content.read(count * _WORD))
    if numbers.tolist() != sorted(set(numbers)):
        raise UnknownForm
    content.read(fill)
    return _Blocks(numbers, left)


def _tree(top: Path) -> tuple[list[str], list[str]]:
    """Return the folders below one, parents first, and the files."""
    folders, files = [], []
    for place, inner, names in os.walk(top):
        here = Path(place).relative_to(top)
        folders += [(here / name).as_posix() for name in inner]
        files += [(here / name).as_posix() for name in names]
    return folders, files


def _block_size(data: Path, tools: Tools) -> int:
    lines = tool(tools, "pg_controldata", data).splitlines()
    return next(int(line.removeprefix(_BLOCK_SIZE)) for line in lines if line.startswith(_BLOCK_SIZE))
