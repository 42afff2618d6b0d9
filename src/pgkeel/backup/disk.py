"""Two calls of Linux that Python lacks: give back the room of what has been read, and begin to write out what was written.

Elsewhere both do nothing: they change when the disk works, not what is on it.
"""

import ctypes
import sys

__all__ = ["give_back", "start_writing"]

_PUNCH_KEEPING_SIZE = 3  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE of fallocate(2)
_WRITE = 2  # SYNC_FILE_RANGE_WRITE of sync_file_range(2)
_LIBC = ctypes.CDLL(None)


def give_back(file: int, start: int, size: int) -> None:
    """Free the room of a stretch of an open file that has been read; a file system that cannot do that keeps it until the end."""
    if sys.platform == "linux":
        _LIBC.fallocate(file, _PUNCH_KEEPING_SIZE, ctypes.c_int64(start), ctypes.c_int64(size))


def start_writing(file: int, start: int, size: int) -> None:
    """Let the kernel begin to write out a stretch of an open file, as PostgreSQL's own tools do before they sync it."""
    if sys.platform == "linux":
        _LIBC.sync_file_range(file, ctypes.c_int64(start), ctypes.c_int64(size), _WRITE)
