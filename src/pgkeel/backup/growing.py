"""Read what another program writes while it writes it: a file that grows, or a pipe under a file's name.

A pipe costs no room and wakes its reader at once; where there can be none, the file gives back the room of what has been read.
"""

import contextlib
import fcntl
import io
import os
import select
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import IO, Self, cast

from pgkeel.backup.disk import give_back
from pgkeel.backup.pipes import ROOM, End
from pgkeel.core import clock

__all__ = ["LOOK", "Flowing", "Growing", "Tar", "flowing_or_none"]

LOOK = timedelta(milliseconds=4)
_BUFFER = 2**18
_STEP = 2**24  # each time room is given back, whoever writes the file waits
_WHILE = 16  # milliseconds until it is looked whether something else came
_PATIENCE = 200  # milliseconds between looks at a writer that says nothing


class Tar(End):
    """What arrives.

    Attributes:
        file: What to read from, inside the block.
    """

    file: IO[bytes]

    def __enter__(self) -> Self:
        """Return itself, open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file; who still writes into a pipe fails."""
        self.file.close()


class Growing(Tar):
    """A file that ends where its writer has ended."""

    def __init__(self, path: Path, grows: Callable[[], bool]) -> None:
        """Take the file, and what says whether more may come; that is asked before each read."""
        self._path, self._grows = path, grows

    def __enter__(self) -> Self:
        """Open the file; where it is gone, its writer failed and took it back: then it is empty."""
        try:
            raw: IO[bytes] = cast("IO[bytes]", _Raw(self._path, self))
        except FileNotFoundError:
            raw = io.BytesIO()
        self.file = _buffered(raw)
        return self

    def may_grow(self) -> bool:
        """Return whether more may come."""
        return self._grows()


class Flowing(Tar):
    """A pipe that another program opens as a file: what it writes is read at once and never lies on the disk."""

    def __init__(self, path: Path, flows: Callable[[], bool]) -> None:
        """Make the pipe, which waits for its writer.

        Args:
            path: A name that is free.
            flows: Says whether the writer lives; asked before each read.

        Raises:
            OSError: The name is taken, or this file system knows no pipes.
        """
        os.mkfifo(path, 0o600)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # no more than the account is allowed
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, ROOM)
        self._flows = flows
        self._writer = select.poll()
        self._writer.register(descriptor, select.POLLIN)
        self.file = _buffered(cast("IO[bytes]", _Mouth(descriptor, self)))

    @property
    def has_begun(self) -> bool:
        """Whether something was written, or the writer came and went."""
        return self.file.closed or bool(self._writer.poll(0))

    def await_some(self) -> None:
        """Return when something was written, or after a short while."""
        if self.file.closed or not self._writer.poll(_WHILE):
            clock.sleep(LOOK)

    def await_more(self) -> None:
        """Return when there is something to read, or nothing will come."""
        while self._flows() and not self._writer.poll(_PATIENCE):
            pass  # a writer that was killed before it opened the pipe never closes it


def flowing_or_none(path: Path, flows: Callable[[], bool]) -> Flowing | None:
    """Return a pipe under a name, or None where it is taken or there can be none."""
    if sys.platform != "linux":  # elsewhere a pipe without a writer is not told from one that was closed
        return None
    try:
        return Flowing(path, flows)
    except OSError:
        return None


class _Raw(io.FileIO):
    """The file itself; a read waits for more."""

    def __init__(self, path: Path, growing: Growing) -> None:
        super().__init__(path, "r+b")
        self._growing = growing
        self._done = self._given = 0

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # typeshed's Buffer is not in 3.11
        with self._growing.kept():
            while True:
                grows = self._growing.may_grow()
                size = super().readinto(buffer) or 0
                if size or not grows:
                    self._note(size)
                    return size
                clock.sleep(LOOK)

    def _note(self, size: int) -> None:
        self._done += size
        if self._done - self._given >= _STEP:
            give_back(self.fileno(), self._given, self._done - self._given)
            self._given = self._done


class _Mouth(io.RawIOBase):
    """The reading end; a read waits for more, and returns 0 where the writer has closed."""

    def __init__(self, descriptor: int, flowing: Flowing) -> None:
        super().__init__()
        self._descriptor, self._flowing = descriptor, flowing

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # typeshed's Buffer is not in 3.11
        with self._flowing.kept():
            while True:
                self._flowing.await_more()
                with contextlib.suppress(BlockingIOError):  # the writer has opened it and written nothing
                    return os.readv(self._descriptor, [buffer])

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def _buffered(raw: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", raw), _BUFFER))
