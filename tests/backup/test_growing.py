"""What arrives is read whole while it is written, however its writer ends."""

import subprocess
import sys
from pathlib import Path

import pytest

from pgkeel.backup.growing import Flowing, flowing_or_none

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes under a file's name are used on Linux only")
CONTENT = bytes(range(256)) * 20_000
WRITER = """
import os, sys
with open(sys.argv[1], "wb") as file:
    file.write(bytes(range(256)) * 20_000)
    file.flush()
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), 9)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "base.tar"


def writing(place: Path, how: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", WRITER, str(place), how], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("how", ["ends", "killed"])
def test_a_pipe_gives_what_was_written_and_ends_with_its_writer(place: Path, how: str) -> None:
    ways: list[subprocess.Popen[bytes]] = []
    flowing = flowing_or_none(place, lambda: not ways or ways[0].poll() is None)
    assert flowing is not None
    assert not flowing.has_begun
    with writing(place, how) as writer, flowing:
        ways.append(writer)
        assert flowing.file.read() == CONTENT


def test_a_pipe_whose_writer_never_came_is_empty(place: Path) -> None:
    with Flowing(place, lambda: False) as flowing:
        assert flowing.file.read() == b""


def test_where_the_name_is_taken_there_is_no_pipe(place: Path) -> None:
    place.write_bytes(b"the file was made sooner")
    assert flowing_or_none(place, lambda: True) is None
    assert place.read_bytes() == b"the file was made sooner"


def test_what_goes_wrong_while_it_is_read_is_kept(place: Path) -> None:
    def ended() -> bool:
        raise RuntimeError("the work is to end")

    with Flowing(place, ended) as flowing:
        with pytest.raises(RuntimeError):
            flowing.file.read()
        assert str(flowing.failure) == "the work is to end"


def test_a_reader_that_gives_up_ends_its_writer(place: Path) -> None:
    flowing = Flowing(place, lambda: True)
    with writing(place, "ends") as writer, flowing:
        assert flowing.file.read(1) == CONTENT[:1]
    assert writer.returncode not in (None, 0)
