"""One `up`, `down` or `reset` at a time: a file lock, which the kernel releases however its holder dies."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["exclusive"]


@contextmanager
def exclusive(file: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock while the block runs; wait for another holder and say so once.

    Children do not inherit it (Python opens files that way), so a server that outlives us does not hold it.
    """
    descriptor = _acquire(file, report)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire(file: Path, report: Callable[[str], None]) -> int:
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        _wait(descriptor, file, report)
        if _is_still(file, descriptor):
            return descriptor
        os.close(descriptor)  # `reset` removed the file while we waited: lock its successor


def _wait(descriptor: int, file: Path, report: Callable[[str], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report(f"waiting for another pgkeel that works on {file.parent}")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_still(file: Path, descriptor: int) -> bool:
    try:
        return file.lstat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
