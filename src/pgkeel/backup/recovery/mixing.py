"""Put blocks into a file, and reckon on the way what checksum the file had and has: the disk is never asked what it should be.

Whatever the disk changes afterwards differs from what the manifest then says; what it changed before differs from what it said.
"""

import os
from array import array
from collections.abc import Iterator

import msgspec

from pgkeel.backup.recovery.manifest import Crc32c
from pgkeel.backup.unpacking import Content, pour

__all__ = ["Mixed", "mix"]

_STEP = 2**18  # fits into a processor's cache


class Mixed(msgspec.Struct, frozen=True):
    """What a file was and became.

    Attributes:
        older: Checksum of what was read of it, as manifests spell it.
        checksum: Checksum of what it was made.
        size: Bytes that it has now.
    """

    older: str
    checksum: str
    size: int


def mix(content: Content, numbers: "array[int]", target: int, *, kept: int, length: int, block: int) -> Mixed:
    """Write blocks over a file, cut it, and fill it up with zeros as the server does.

    Args:
        content: The blocks, one after the other.
        numbers: Where they belong, in ascending order.
        target: The file, open for reading and writing.
        kept: Bytes from its beginning that stay where no block comes; zeros follow.
        length: Bytes of the outcome.
        block: Bytes a block.
    """
    sums, at = _Sums(target, kept), 0
    for first, count in _runs(numbers):
        sums.stay(at, first * block)
        at = (first + count) * block
        sums.leave(first * block, at)
        pour(sums.heard(content.pieces(count * block)), target, first * block)
    sums.stay(at, length)
    sums.leave(length, sums.size)
    os.ftruncate(target, length)
    return Mixed(sums.older.hexdigest(), sums.newer.hexdigest(), length)


class _Sums:
    """What was read of a file and what it becomes, from its beginning on."""

    def __init__(self, target: int, kept: int) -> None:
        self.size = os.fstat(target).st_size
        self.older, self.newer = Crc32c(), Crc32c()
        self._target, self._kept = target, kept

    def stay(self, start: int, end: int) -> None:
        """Keep what lies in a stretch; behind what is kept there are zeros."""
        edge = max(start, min(end, self._kept))
        for piece in self._read(start, edge):
            self.older.update(piece)
            self.newer.update(piece)
        self.leave(edge, end)
        for at in range(edge, end, _STEP):
            zeros = bytes(min(_STEP, end - at))
            self.newer.update(zeros)
            if at < self.size:
                os.pwrite(self._target, zeros, at)

    def leave(self, start: int, end: int) -> None:
        """Read what will be there no more."""
        for piece in self._read(start, end):
            self.older.update(piece)

    def heard(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Yield what is written."""
        for piece in pieces:
            self.newer.update(piece)
            yield piece

    def _read(self, start: int, end: int) -> Iterator[bytes]:
        at, end = start, min(end, self.size)
        while at < end and (piece := os.pread(self._target, min(_STEP, end - at), at)):
            yield piece
            at += len(piece)


def _runs(numbers: "array[int]") -> Iterator[tuple[int, int]]:
    """Yield which blocks follow each other, as the first and how many."""
    first, count = 0, 0
    for number in numbers:
        if count and number == first + count:
            count += 1
            continue
        if count:
            yield first, count
        first, count = number, 1
    if count:
        yield first, count
