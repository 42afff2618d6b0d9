"""What is read ahead is what was there, and what went wrong there is told to its reader."""

import io
import threading

import pytest

from pgkeel.backup.pipes import Ahead

CONTENT = bytes(range(256)) * 40_000


class Broken(io.RawIOBase):
    """A file that breaks behind its first pieces."""

    def __init__(self, whole: int) -> None:
        super().__init__()
        self._left = whole

    def read(self, size: int = -1) -> bytes:
        if not self._left:
            raise OSError("the line went dead")
        self._left -= 1
        return b"x" * size


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("size", [1_000, 512 * 1024, len(CONTENT), 2 * len(CONTENT)])
def test_reads_of_any_size_give_the_content_in_its_order(size: int) -> None:
    with Ahead(io.BytesIO(CONTENT)) as ahead:
        read = [bytes(piece) for piece in iter(lambda: ahead.read(size), b"")]

        assert b"".join(read) == CONTENT
        assert {len(piece) for piece in read[:-1]} <= {size}
        assert ahead.read(1) == b""


def test_what_goes_wrong_ahead_is_raised_where_it_is_read() -> None:
    with Ahead(Broken(3)) as ahead, pytest.raises(OSError, match="went dead"):  # type: ignore[arg-type]
        ahead.read(10_000_000)


def test_a_reader_that_gives_up_leaves_no_thread() -> None:
    with Ahead(Broken(10_000)) as ahead:  # type: ignore[arg-type]
        assert ahead.read(10) == b"x" * 10

    assert "pgkeel backup ahead" not in threads()
