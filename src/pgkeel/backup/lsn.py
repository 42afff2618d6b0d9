"""Places in the WAL: LSNs as people write them, and the names of the segments that hold them."""

import re

from pgkeel.core.errors import UsageError

__all__ = [
    "SEGMENT_BYTES",
    "format_lsn",
    "next_segment",
    "parse_lsn",
    "segment_end",
    "segment_name",
    "segment_number",
    "segment_start",
    "timeline_of",
]

SEGMENT_BYTES = 16 * 2**20  # initdb's default; a cluster may have another, which each function takes
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_NAME = re.compile(r"[0-9A-F]{24}")


def parse_lsn(text: str) -> int:
    """Return the byte position that `0/2000028` means.

    Raises:
        UsageError: It is no LSN.
    """
    match = _LSN.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is not an LSN", hint="write it as PostgreSQL does: 0/2000028")
    return (int(match[1], 16) << 32) | int(match[2], 16)


def format_lsn(position: int) -> str:
    """Return a byte position as PostgreSQL writes it."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"


def segment_name(timeline: int, position: int, *, size: int = SEGMENT_BYTES) -> str:
    """Return the name of the segment that holds a byte position."""
    number, per_file = position // size, 2**32 // size
    return f"{timeline:08X}{number // per_file:08X}{number % per_file:08X}"


def segment_number(name: str, *, size: int = SEGMENT_BYTES) -> int:
    """Return which segment of its timeline a name means, counted from 0.

    Raises:
        UsageError: It is no segment's name.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not the name of a WAL segment", hint="24 hexadecimal digits")
    return int(name[8:16], 16) * (2**32 // size) + int(name[16:24], 16)


def segment_start(name: str, *, size: int = SEGMENT_BYTES) -> int:
    """Return the position of a segment's first byte."""
    return segment_number(name, size=size) * size


def segment_end(name: str, *, size: int = SEGMENT_BYTES) -> int:
    """Return the position after a segment's last byte."""
    return segment_start(name, size=size) + size


def timeline_of(name: str) -> int:
    """Return the timeline of a segment or of a history file."""
    return int(name[:8], 16)


def next_segment(name: str, *, size: int = SEGMENT_BYTES) -> str:
    """Return the name of the segment that follows on the same timeline."""
    return segment_name(timeline_of(name), segment_end(name, size=size), size=size)
