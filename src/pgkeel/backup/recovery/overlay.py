"""Lay an incremental backup over the full one it builds on, in place: gigabytes are not copied to change a few blocks of them.

`pg_combinebackup` writes every byte again where the file system cannot share it. Here it says, in a dry run, whether the two
belong together; the blocks are then put where it would put them. What is unknown here is left to it.

A file of which an incremental backup holds blocks begins with three words of 32 bits: a magic number, how many blocks there are,
and how many of the older file's blocks are left; then come the blocks' numbers, zeros up to a whole block, and the blocks
(PostgreSQL 17 and 18, `reconstruct.c` of pg_combinebackup).
"""

import io
import os
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import msgspec

from pgkeel.backup.tools import Tools, tool

__all__ = ["Overlay", "lay_over", "plan_overlay"]

_MAGIC = 0xD3AE1F0D
_WORDS = 3
_PREFIX = "INCREMENTAL."
_RELATIONS = ("base", "global", "pg_tblspc")  # the folders in which files are sent by blocks
_LABEL, _MANIFEST = "backup_label", "backup_manifest"
_OF_INCREMENTAL = (b"INCREMENTAL FROM LSN: ", b"INCREMENTAL FROM TLI: ")  # lines that a whole backup's label does not have
_BLOCK_SIZE = "Database block size:"
_LONGEST = 128  # blocks that are moved at once


class Overlay(msgspec.Struct, frozen=True):
    """What an incremental backup makes of the full one; paths are relative.

    Attributes:
        block: Bytes a block.
        folders: All that the outcome has, parents first.
        whole: Files that it holds whole.
        changed: Files of which it holds blocks, under the names that they get.
        cut: Files of which it holds how many of their blocks stay, and nothing else.
        empty: Files that are empty.
        gone: What the full one has and the outcome has not, files before their folders.
    """

    block: int
    folders: tuple[str, ...]
    whole: tuple[str, ...]
    changed: tuple[str, ...]
    cut: Mapping[str, int]
    empty: tuple[str, ...]
    gone: tuple[str, ...]


class _Blocks(msgspec.Struct, frozen=True):
    """The head of a file that was sent by blocks.

    Attributes:
        numbers: Where its blocks belong.
        left: How many of the older file's blocks stay.
        begin: Offset of the first block.
    """

    numbers: "array[int]"
    left: int
    begin: int

    @property
    def length(self) -> int:
        """Blocks of the outcome."""
        return max(self.left, max(self.numbers, default=-1) + 1)


def plan_overlay(base: Path, newer: Path, tools: Tools, aside: Mapping[str, bytes] | None = None) -> Overlay | None:
    """Return what laying `newer` over `base` means, or None where something in it is not known here; nothing is written.

    Args:
        base: The full backup.
        newer: The incremental one.
        tools: Those of the server's major.
        aside: Files of the incremental one that were not made: path and content.

    Raises:
        ToolFailed: `pg_combinebackup` would not put the two together.
    """
    nowhere = base.with_name("nowhere")
    tool(tools, "pg_combinebackup", "--dry-run", "--no-manifest", base, newer, f"--output={nowhere}")
    block, held = _block_size(newer, tools), aside or {}
    folders, files = _tree(newer)
    heads = {_outcome(name): _read_head(newer / name, block) for name in files if _is_by_blocks(name)}
    heads |= {_outcome(name): _head(io.BytesIO(content), block) for name, content in held.items() if _is_by_blocks(name)}
    known = {name: head for name, head in heads.items() if head is not None}
    old_folders, old_files = _tree(base)
    if len(known) < len(heads) or not known.keys() <= set(old_files):
        return None
    whole = [name for name in files if name not in {_LABEL, _MANIFEST} and not _is_by_blocks(name)]
    empty = [name for name in held if not _is_by_blocks(name)]
    kept = {*folders, *whole, *empty, *known}
    return Overlay(
        block,
        tuple(folders),
        tuple(whole),
        changed=tuple(name for name, head in known.items() if head.numbers),
        cut={name: head.left for name, head in known.items() if not head.numbers},
        empty=tuple(empty),
        gone=tuple(name for name in (*old_files, *reversed(old_folders)) if name not in kept),
    )


def lay_over(base: Path, newer: Path, overlay: Overlay) -> None:
    """Make `base` what `pg_combinebackup` makes of the two; `newer` is used up. Nothing is synced.

    When it is interrupted, both are to be brought again.
    """
    for name in overlay.gone:
        (base / name).rmdir() if (base / name).is_dir() else (base / name).unlink()
    for name in overlay.folders:
        (base / name).mkdir(mode=0o700, exist_ok=True)
    for name, blocks in overlay.cut.items():
        _cut(base / name, blocks, blocks, overlay.block)
    for name in overlay.changed:
        _put_blocks(base / name, newer / _sent_as(name), overlay.block)
    for name in overlay.whole:
        (newer / name).replace(base / name)
    for name in overlay.empty:
        _empty(base / name)
    label = newer / _LABEL
    lines = label.read_bytes().splitlines(keepends=True)
    label.write_bytes(b"".join(line for line in lines if not line.startswith(_OF_INCREMENTAL)))
    label.replace(base / _LABEL)


def _put_blocks(path: Path, sent: Path, block: int) -> None:
    head = _read_head(sent, block)
    if head is None:
        raise AssertionError(sent)  # the plan has read it
    _cut(path, head.left, head.length, block)
    with sent.open("rb") as source, path.open("r+b") as target:
        source.seek(head.begin)
        for first, count in _runs(head.numbers):
            target.seek(first * block)
            target.write(source.read(count * block))


def _cut(path: Path, left: int, length: int, block: int) -> None:
    """Cut the older file, and fill it up with zeros as the server does."""
    size = path.stat().st_size
    if not size == left * block == length * block:
        os.truncate(path, min(size // block, left) * block)
        os.truncate(path, length * block)


def _empty(path: Path) -> None:
    if not path.exists():
        path.touch(mode=0o600)
    elif path.stat().st_size:
        os.truncate(path, 0)


def _runs(numbers: "array[int]") -> Iterator[tuple[int, int]]:
    """Yield which blocks follow each other, as the first and how many, none longer than what is moved at once."""
    first, count = 0, 0
    for number in numbers:
        if count and number == first + count and count < _LONGEST:
            count += 1
            continue
        if count:
            yield first, count
        first, count = number, 1
    if count:
        yield first, count


def _read_head(path: Path, block: int) -> _Blocks | None:
    with path.open("rb") as file:
        return _head(file, block)


def _head(file: IO[bytes], block: int) -> _Blocks | None:
    """Return the head of a file that was sent by blocks, or None where it is not of the form that is known here."""
    words = array("I")
    words.frombytes(file.read(_WORDS * words.itemsize).ljust(_WORDS * words.itemsize, b"\0"))
    magic, count, left = words
    if magic != _MAGIC:
        return None
    numbers = array("I", file.read(count * words.itemsize))
    size = file.seek(0, os.SEEK_END)
    begin = (_WORDS + count) * words.itemsize
    begin += -begin % block if count else 0
    return _Blocks(numbers, left, begin) if len(numbers) == count and size == begin + count * block else None


def _tree(top: Path) -> tuple[list[str], list[str]]:
    """Return the folders below one, parents first, and the files."""
    folders, files = [], []
    for place, inner, names in os.walk(top):
        here = Path(place).relative_to(top)
        folders += [(here / name).as_posix() for name in inner]
        files += [(here / name).as_posix() for name in names]
    return folders, files


def _is_by_blocks(name: str) -> bool:
    place, _, file = name.rpartition("/")
    return file.startswith(_PREFIX) and place.partition("/")[0] in _RELATIONS


def _outcome(name: str) -> str:
    place, _, file = name.rpartition("/")
    return f"{place}/{file.removeprefix(_PREFIX)}"


def _sent_as(name: str) -> str:
    place, _, file = name.rpartition("/")
    return f"{place}/{_PREFIX}{file}"


def _block_size(data: Path, tools: Tools) -> int:
    lines = tool(tools, "pg_controldata", data).splitlines()
    return next(int(line.removeprefix(_BLOCK_SIZE)) for line in lines if line.startswith(_BLOCK_SIZE))
