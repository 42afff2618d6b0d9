"""One `up`, `down` or `reset` at a time: a file lock, which the kernel releases however its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pgkeel.core.telling import Report
from pgkeel.stack.folders import prepare
from pgkeel.stack.layout import Layout

__all__ = ["exclusive"]


@contextmanager
def exclusive(layout: Layout, report: Report) -> Iterator[None]:
    """Make the state folder and hold its lock while the block runs; wait for another holder and say so once.

    Children do not inherit the lock (Python opens files that way), so a server that outlives us does not hold it.

    Raises:
        NotOurs: The state folder is not ours.
    """
    descriptor = _acquire(layout, report)
    try:
        yield
    finally:
        os.close(descriptor)


def _acquire(layout: Layout, report: Report) -> int:
    while True:
        prepare(layout)
        with suppress(FileNotFoundError):  # `reset` moved the folder away between these two lines
            descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            _wait(descriptor, layout.state, report)
            if _is_still(layout.lock, descriptor):
                return descriptor
            os.close(descriptor)  # `reset` removed the file while we waited: lock its successor


def _wait(descriptor: int, folder: Path, report: Report) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        report(f"waiting for another pgkeel that works on {folder}")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_still(file: Path, descriptor: int) -> bool:
    try:
        return file.lstat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
