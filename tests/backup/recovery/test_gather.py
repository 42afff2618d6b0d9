"""WAL is gathered while the archiver empties the receiver's folder and the server makes new segments of old ones."""

import hashlib
import os
import shutil
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest

from pgkeel.backup import Folder, new_identity, recipient_of
from pgkeel.backup.errors import Damaged
from pgkeel.backup.lsn import segment_name, segment_start
from pgkeel.backup.places import segment_key
from pgkeel.backup.recovery.gather import Archive, gather, known_after
from pgkeel.backup.sealing import seal
from pgkeel.backup.wal_index import Segment, read_segment, store_segment

SIZE, SYSTEM = 2**20, "777"
ONE, TWO, THREE, NINE = (segment_name(1, number * SIZE, size=SIZE) for number in (1, 2, 3, 9))
Meanwhile = Callable[[str, Callable[[], object]], None]


def content_of(name: str) -> bytes:
    """Return a segment of which gathering looks at the first page's address only."""
    return struct.pack("<HHIQ", 0xD113, 2, 1, segment_start(name, size=SIZE)).ljust(SIZE - 24, name[-1].encode()) + name.encode()


@pytest.fixture
def received(tmp_path: Path) -> Path:
    """The receiver's folder: two closed segments."""
    folder = tmp_path / "received"
    folder.mkdir()
    for name in (ONE, TWO):
        (folder / name).write_bytes(content_of(name))
    return folder


@pytest.fixture
def archive(received: Path, tmp_path: Path) -> Archive:
    """Where the WAL is: nothing is archived yet."""
    identity = new_identity()
    (tmp_path / "pg_wal").mkdir()
    return Archive((Folder("local", tmp_path / "repository"),), identity, folders=(received, tmp_path / "pg_wal"), system=SYSTEM)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """Lets something happen once, when half of a segment is copied."""

    def happen(name: str, what: Callable[[], object]) -> None:
        waiting = [what]

        def copied(source: IO[bytes], target: IO[bytes], _step: int) -> None:
            target.write(source.read(SIZE // 2))
            if waiting and Path(source.name).name.startswith(name):
                waiting.pop()()
            target.write(source.read())

        monkeypatch.setattr(shutil, "copyfileobj", copied)

    return happen


def archived(archive: Archive, folder: Path, name: str) -> None:
    """Store a segment and delete its file, as the archiver does."""
    content = (folder / name).read_bytes()
    key = segment_key(SYSTEM, name)
    recipients = [recipient_of(archive.identity)]

    def write(sink: IO[bytes]) -> None:
        sink.write(content)

    parts = seal(write, key=key, repositories=archive.repositories, recipients=recipients)
    unknown: dict[str, Any] = dict.fromkeys(
        ("first_commit_at", "last_commit_at", "earliest_commit_at", "latest_commit_at", "last_commit_xid", "last_commit_lsn")
    )
    digest = hashlib.sha256(content).hexdigest()
    row = Segment(name, SYSTEM, SIZE, digest, 0, is_monotonic=True, restore_points=(), parts=parts, **unknown)
    store_segment(archive.repositories[0], row)
    (folder / name).unlink()


def test_what_the_archiver_stores_meanwhile_is_taken_from_the_repository(
    archive: Archive, received: Path, tmp_path: Path, meanwhile: Meanwhile
) -> None:
    def both() -> None:
        archived(archive, received, ONE)
        archived(archive, received, TWO)

    meanwhile(ONE, both)
    end = gather(archive, 1, SIZE, None, tmp_path / "place")

    assert end == segment_start(THREE, size=SIZE)
    assert {path.name: path.read_bytes() for path in (tmp_path / "place").glob("0*")} == {n: content_of(n) for n in (ONE, TWO)}


def test_a_segment_that_the_server_makes_anew_meanwhile_is_not_believed(
    archive: Archive, received: Path, tmp_path: Path, meanwhile: Meanwhile
) -> None:
    pg_wal = archive.folders[1]
    (received / TWO).replace(pg_wal / TWO)

    def recycle() -> None:
        (pg_wal / TWO).rename(pg_wal / NINE)
        with (pg_wal / NINE).open("r+b") as later:
            later.write(content_of(NINE))

    meanwhile(TWO, recycle)
    end = gather(archive, 1, SIZE, None, tmp_path / "place")

    assert end == segment_start(TWO, size=SIZE)
    assert [path.name for path in (tmp_path / "place").glob("0*")] == [ONE]


def test_a_segment_that_is_closed_meanwhile_is_found_under_its_name(
    archive: Archive, received: Path, tmp_path: Path, meanwhile: Meanwhile
) -> None:
    (received / TWO).replace(received / f"{TWO}.partial")
    meanwhile(TWO, lambda: (received / f"{TWO}.partial").replace(received / TWO))

    gather(archive, 1, SIZE, None, tmp_path / "place")

    assert (tmp_path / "place" / TWO).read_bytes() == content_of(TWO)


def test_a_stored_segment_that_is_damaged_is_taken_from_who_has_the_same_bytes_and_else_is_where_the_wal_ends(
    archive: Archive, received: Path, tmp_path: Path
) -> None:
    pg_wal, heard = archive.folders[1], list[Damaged]()
    (pg_wal / TWO).write_bytes(content_of(TWO))
    archived(archive, received, ONE)
    archived(archive, received, TWO)
    (repository,) = archive.repositories
    rows = tuple(row for row in map(partial(read_segment, repository, SYSTEM), (ONE, TWO)) if row)
    known = msgspec.structs.replace(archive, segments=rows)
    key = rows[1].parts[0].key
    repository.delete(key)

    assert gather(known, 1, SIZE, None, tmp_path / "one", hear=heard.append) == segment_start(THREE, size=SIZE)
    assert (tmp_path / "one" / TWO).read_bytes() == content_of(TWO)
    (pg_wal / TWO).write_bytes(content_of(TWO)[:-1] + b"x")
    assert gather(known, 1, SIZE, None, tmp_path / "two", hear=heard.append) == segment_start(TWO, size=SIZE)
    assert [TWO in one.message for one in heard] == [True]
    with pytest.raises(Damaged, match="missing"):
        gather(known, 1, SIZE, None, tmp_path / "three")


def test_wal_that_is_written_and_archived_after_it_was_gathered_is_no_gap(
    archive: Archive, received: Path, tmp_path: Path
) -> None:
    four = segment_name(1, 4 * SIZE, size=SIZE)
    end = gather(archive, 1, SIZE, None, tmp_path / "place")
    assert known_after(archive, 1, end) is None

    (received / four).write_bytes(content_of(four))
    assert known_after(archive, 1, end) == four
    (received / THREE).write_bytes(content_of(THREE))
    assert known_after(archive, 1, end) is None
    archived(archive, received, THREE)
    assert known_after(archive, 1, end) is None


def test_a_gathering_that_is_killed_leaves_no_half_segment(archive: Archive, tmp_path: Path, meanwhile: Meanwhile) -> None:
    place = tmp_path / "place"
    meanwhile(TWO, lambda: os._exit(9))
    if not (child := os.fork()):
        gather(archive, 1, SIZE, None, place)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert [path.name for path in place.glob("0*")] == [ONE]

    meanwhile(TWO, lambda: None)
    gather(archive, 1, SIZE, None, place)

    assert (place / TWO).read_bytes() == content_of(TWO)
