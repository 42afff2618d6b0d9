"""Look at a tar while it passes by: keep one small member of it, and touch nothing else."""

__all__ = ["TarWatch"]

_BLOCK = 512


class TarWatch:
    """Finds a member in the stream of a tar as PostgreSQL writes it (ustar; large sizes in base 256).

    Attributes:
        size: Bytes that have passed.
    """

    def __init__(self, wanted: str) -> None:
        """Keep the content of the member with this name."""
        self.size = 0
        self._wanted = wanted.encode()
        self._next = 0  # where the next header begins
        self._header = bytearray()
        self._keep_until = 0
        self._kept = bytearray()

    @property
    def found(self) -> bytes | None:
        """The member's content, or None as long as it is not whole."""
        return bytes(self._kept) if self._keep_until and self.size >= self._keep_until else None

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        start, end = self.size, self.size + len(chunk)
        place = start
        while place < end:
            if place >= self._next:
                taken = min(end - place, _BLOCK - len(self._header))
                self._header += chunk[place - start : place - start + taken]
                place += taken
                if len(self._header) == _BLOCK:
                    self._read_header(place)
                continue
            until = min(end, self._next)
            if place < self._keep_until:
                self._kept += chunk[place - start : min(until, self._keep_until) - start]
            place = until
        self.size = end

    def _read_header(self, place: int) -> None:
        header, self._header = self._header, bytearray()
        size = _number(bytes(header[124:136]))
        if header[:100].rstrip(b"\0") == self._wanted and not header[345:500].rstrip(b"\0"):
            self._keep_until = place + size
        self._next = place + -(-size // _BLOCK) * _BLOCK


def _number(field: bytes) -> int:
    """Return a number that is octal text, or base 256 when the first bit says so."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:])
    return int(field.strip(b"\0 ") or b"0", 8)
