"""The pages of a WAL segment, where pg_waldump finds no record: one that is longer than a segment leaves no whole one in it."""

import struct
from collections.abc import Iterator
from pathlib import Path

from pgkeel.backup.lsn import segment_start

__all__ = ["holds_no_whole_record"]

# XLogPageHeaderData and XLogLongPageHeaderData of access/xlog_internal.h, as this machine writes numbers
_SHORT, _LONG, _LENGTH = struct.Struct("=HHIQI4x"), struct.Struct("=HHIQI4xQII"), struct.Struct("=I")
_CONTINUES, _IS_LONG = 0x0001, 0x0002
_HEAD = 24  # bytes of a record's head, at least
_ALIGNED = 8  # a record begins at a multiple of it


def holds_no_whole_record(segment: Path) -> bool:
    """Return whether a segment is sound and holds the end, the middle or the beginning of long records, and no whole one.

    A logical message may have a gigabyte. Every page must say that it follows the one before; the CRC of such a record is checked
    by whoever replays it.

    Args:
        segment: A closed segment under its own name.
    """
    content = segment.read_bytes()
    size, page, left = _first(content)
    has_begun = False
    for offset, header in _pages(size, page):
        if not _follows(content, offset, segment_start(segment.name, size=size), left):
            return False
        end = header + left
        left = end - page
        if left > 0:
            continue
        begins = end + -end % _ALIGNED
        if has_begun:  # and it ends here: this one pg_waldump should have read
            return False
        left = 0
        if begins < page:
            length = _LENGTH.unpack_from(content, offset + begins)[0]
            has_begun, left = True, length - (page - begins)
            if length < _HEAD or left <= 0:
                return False
    return size > 0


def _first(content: bytes) -> tuple[int, int, int]:
    """Return the sizes of the segment and of a page, and how much of a record goes on here; zeros where its head is wrong."""
    if len(content) < _LONG.size:
        return 0, 1, 0
    _, flags, _, _, left, _, size, page = _LONG.unpack_from(content)
    is_sound = flags & _IS_LONG and size == len(content) and page and not size % page
    return (size, page, left if flags & _CONTINUES else 0) if is_sound else (0, 1, 0)


def _pages(size: int, page: int) -> Iterator[tuple[int, int]]:
    """Yield where each page begins and how long its header is."""
    return ((offset, _SHORT.size if offset else _LONG.size) for offset in range(0, size, page))


def _follows(content: bytes, offset: int, start: int, left: int) -> bool:
    """Return whether a page's header says that it is the one at its place, with so much left of the record before."""
    magic, flags, _, address, said = _SHORT.unpack_from(content, offset)
    is_here = magic == _SHORT.unpack_from(content)[0] and address == start + offset
    return is_here and bool(flags & _CONTINUES) == (left > 0) and said == left
