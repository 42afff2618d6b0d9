"""Read a file while another program writes it, and give back the room of what has been read."""

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import IO, Self, cast

from pgkeel.backup.disk import give_back
from pgkeel.backup.pipes import End
from pgkeel.core import clock

__all__ = ["LOOK", "Growing"]

LOOK = timedelta(milliseconds=4)
_BUFFER = 2**18
_STEP = 2**24  # each time room is given back, whoever writes the file waits


class Growing(End):
    """A file that ends where its writer has ended.

    Attributes:
        file: What to read from, inside the block.
    """

    file: IO[bytes]

    def __init__(self, path: Path, grows: Callable[[], bool]) -> None:
        """Take the file, and what says whether more may come; that is asked before each read."""
        self._path, self._grows = path, grows

    def __enter__(self) -> Self:
        """Open the file; where it is gone, its writer failed and took it back: then it is empty."""
        try:
            raw: IO[bytes] = cast("IO[bytes]", _Raw(self._path, self))
        except FileNotFoundError:
            raw = io.BytesIO()
        self.file = cast("IO[bytes]", io.BufferedReader(cast("io.RawIOBase", raw), _BUFFER))
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.file.close()

    def may_grow(self) -> bool:
        """Return whether more may come."""
        return self._grows()


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
