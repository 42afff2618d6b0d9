"""The receiver's folder is read while pg_receivewal writes into it."""

from io import FileIO
from pathlib import Path, PosixPath
from typing import Any

import pytest

from pgkeel.backup.spool import OpenSegment, Spool
from pgkeel.core.errors import LockNotObtained

SIZE, BLOCK = 2**20, 8192
MESSAGE = b"wal" * 4000


class Written(PosixPath):
    """A file into which the receiver writes while somebody is halfway through it."""

    def open(self, *_: Any, **__: Any) -> Any:
        return Halfway(self)


class Halfway(FileIO):
    has_come = False

    def read(self, size: int | None = -1, /) -> bytes:
        is_all = size is None or size < 0
        first = super().read(BLOCK if is_all else size) or b""
        if not is_all:
            return first
        if not self.has_come:
            self.has_come = True
            with Path(str(self.name)).open("r+b") as receiver:
                receiver.write(MESSAGE)
        return first + (super().read() or b"")


def test_what_is_filled_has_no_hole_where_the_receiver_wrote_before_the_place_that_was_read(tmp_path: Path) -> None:
    (tmp_path / "open").write_bytes(bytes(SIZE))

    filled = OpenSegment("open", Written(tmp_path / "open")).filled()

    assert len(MESSAGE) > BLOCK
    assert filled == MESSAGE


def test_what_follows_an_offset_is_what_was_not_shipped_yet(tmp_path: Path) -> None:
    (tmp_path / "open").write_bytes(MESSAGE.ljust(SIZE, b"\0"))
    segment = OpenSegment("open", tmp_path / "open")

    assert segment.filled(5000) == MESSAGE[5000:]
    assert segment.filled(len(MESSAGE)) == b""


def test_two_agents_do_not_empty_one_folder(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with spool.emptied_by_us(), pytest.raises(LockNotObtained, match="another process archives"), spool.emptied_by_us():
        pass
    with spool.emptied_by_us():
        pass


def test_what_is_open_is_put_away_and_not_deleted_when_the_receiver_begins_elsewhere(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    (tmp_path / "000000010000000000000005.partial").write_bytes(b"the end of timeline 1")

    spool.clear()

    assert spool.open_segments() == []
    assert (spool.left / "000000010000000000000005.partial").read_bytes() == b"the end of timeline 1"
