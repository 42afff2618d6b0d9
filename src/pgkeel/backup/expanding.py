"""Expand zstd as it is read: what the decompressor makes is given on as it is, where `ZstdFile` copies it twice."""

from functools import partial
from typing import IO

from backports.zstd import ZstdDecompressor

__all__ = ["Expanded"]

_PACKED = 2**16
_PIECE = 2**15


class Expanded:
    """A file of what the frames of another one hold."""

    def __init__(self, source: IO[bytes]) -> None:
        """Take the file of the frames."""
        self._source = source
        self._frame = ZstdDecompressor()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, at most so many, or all of them; b"" at the end.

        Raises:
            EOFError: The file ends within a frame.
            ZstdError: It holds something else.
        """
        if size < 0:
            return b"".join(iter(partial(self.read, _PIECE), b""))
        made = b""
        while size and not made and (packed := self._packed()) is not None:
            made = self._frame.decompress(packed, size)
        return made

    def _packed(self) -> bytes | None:
        """Return what the decompressor wants, beginning the next frame where one has ended; None at the end."""
        if self._frame.eof:
            packed = self._frame.unused_data or self._source.read(_PACKED)
            if not packed:
                return None
            self._frame = ZstdDecompressor()
            return packed
        if not self._frame.needs_input:
            return b""
        packed = self._source.read(_PACKED)
        if not packed:
            raise EOFError("the file ends within a zstd frame")
        return packed
