import hashlib
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import pytest

from pgkeel.backup import (
    Damaged,
    Folder,
    NotEmpty,
    Part,
    Piece,
    Record,
    Segment,
    fetch_backup,
    fetch_open_segment,
    fetch_segment,
    read_index,
    recipient_of,
    seal,
    verify,
)
from pgkeel.backup.lsn import format_lsn, next_segment, parse_lsn, segment_name
from pgkeel.backup.wal_index import store_piece, store_segment
from pgkeel.core.secret import Secret

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SIZE = 2**20
SYSTEM = "777"


def sealed(folder: Folder, identity: Secret, key: str, content: bytes) -> tuple[Part, ...]:
    def write(sink: IO[bytes]) -> None:
        sink.write(content)

    return seal(write, key=key, repositories=[folder], recipients=[recipient_of(identity)])


def archived(folder: Folder, identity: Secret, name: str, content: bytes) -> Segment:
    parts = sealed(folder, identity, f"{SYSTEM}/wal/{name[:8]}/{name}", content)
    digest = hashlib.sha256(content).hexdigest()
    segment = Segment(name, SYSTEM, SIZE, digest, 0, None, None, None, None, None, None, True, (), parts)
    store_segment(folder, segment)
    return segment


def shipped(folder: Folder, identity: Secret, name: str, start: int, content: bytes) -> Piece:
    parts = sealed(folder, identity, f"{SYSTEM}/wal/{name[:8]}/{name}.partial/{start:08X}", content)
    piece = Piece(name, SYSTEM, SIZE, start, start + len(content), hashlib.sha256(content).hexdigest(), AT, parts)
    store_piece(folder, piece)
    return piece


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"") -> bytes:
    """Return a member of a tar; of a link, the content is where it leads."""
    made = tarfile.TarInfo(name)
    made.type, made.size = kind, len(content) if kind == tarfile.REGTYPE else 0
    made.linkname = content.decode() if kind != tarfile.REGTYPE else ""
    return made.tobuf(tarfile.USTAR_FORMAT) + (content.ljust(-(-len(content) // 512) * 512, b"\0") if made.size else b"")


def record_of(folder: Folder, identity: Secret, tar: bytes) -> Record:
    parts = sealed(folder, identity, f"{SYSTEM}/a/base", tar)
    return Record("a", "full", None, SYSTEM, "17.11", 1, "0/2000028", "0/2000120", AT, AT, parts)


def test_a_backup_is_unpacked_into_a_new_directory_only(folder: Folder, identity: Secret, tmp_path: Path) -> None:
    tar = member("base", tarfile.DIRTYPE) + member("base/2619", content=b"row") + bytes(1024)
    record = record_of(folder, identity, tar)

    fetch_backup(record, [folder], identity, tmp_path / "data")

    assert (tmp_path / "data/base/2619").read_bytes() == b"row"
    with pytest.raises(NotEmpty):
        fetch_backup(record, [folder], identity, tmp_path / "data")


@pytest.mark.parametrize(
    ("tar", "reason"),
    [
        (member("/etc/passwd", content=b"x"), "holds '/etc/passwd', which no data directory does"),
        (member("base/../../x", content=b"x"), "which no data directory does"),
        (member("base", tarfile.SYMTYPE, b"/etc"), "holds 'base', which no data directory does"),
        (member("base", tarfile.LNKTYPE, b"/etc/passwd"), "holds 'base', which no data directory does"),
        (member("pipe", tarfile.FIFOTYPE), "holds 'pipe', which no data directory does"),
        (member("PG_VERSION", content=b"17\n")[:513], "ends within a file"),
        (member("PG_VERSION", content=b"17\n")[:300], "cannot be read: truncated header"),
        (member("PG_VERSION", content=b"17\n"), "cannot be read: empty header"),
        (b"no tar at all".ljust(512, b"!"), "cannot be read"),
    ],
)
def test_a_tar_that_no_server_sends_is_refused(tar: bytes, reason: str, folder: Folder, identity: Secret, tmp_path: Path) -> None:
    with pytest.raises(Damaged, match=reason):
        fetch_backup(record_of(folder, identity, tar), [folder], identity, tmp_path / "data")

    assert {path.name for path in (tmp_path / "data").iterdir()} <= {"PG_VERSION"}


def test_a_segment_is_fetched_from_the_repository_that_has_it_whole(folder: Folder, identity: Secret, tmp_path: Path) -> None:
    content = os.urandom(SIZE)
    segment = archived(folder, identity, segment_name(1, 0, size=SIZE), content)
    broken = Folder("broken", tmp_path / "broken")
    broken.put(segment.parts[0].key, b"damaged")

    fetch_segment(segment, [broken, folder], identity, tmp_path / segment.name)

    assert (tmp_path / segment.name).read_bytes() == content
    with pytest.raises(Damaged):
        fetch_segment(segment, [broken], identity, tmp_path / segment.name)


def test_the_prefix_of_an_open_segment_is_filled_up_with_zeros(folder: Folder, identity: Secret, tmp_path: Path) -> None:
    name = segment_name(1, SIZE, size=SIZE)
    shipped(folder, identity, name, 0, b"abc")
    shipped(folder, identity, name, 3, b"def")
    shipped(folder, identity, name, 9, b"after a hole")

    (span,) = read_index(folder, SYSTEM).spans
    assert fetch_open_segment(span.pieces, [folder], identity, tmp_path / name) == 6
    assert (tmp_path / name).read_bytes() == b"abcdef" + bytes(SIZE - 6)
    assert (span.start, span.end) == (SIZE, SIZE + 6)


def test_gaps_and_spans_follow_from_the_rows_alone(folder: Folder, identity: Secret) -> None:
    names = [segment_name(1, number * SIZE, size=SIZE) for number in (1, 2, 4, 5)]
    for name in names:
        archived(folder, identity, name, b"x")
    shipped(folder, identity, segment_name(1, 6 * SIZE, size=SIZE), 0, b"open")

    index = read_index(folder, SYSTEM)

    assert [(gap.from_lsn, gap.to_lsn) for gap in index.gaps] == [(format_lsn(3 * SIZE), format_lsn(4 * SIZE))]
    assert [(span.start, span.end) for span in index.spans] == [(SIZE, 3 * SIZE), (4 * SIZE, 6 * SIZE + 4)]
    assert index.span_from(1, format_lsn(3 * SIZE + 1)) is None
    assert read_index(folder, SYSTEM, known=index.segments) == index


def test_a_damaged_row_counts_as_a_gap_and_is_named(folder: Folder, identity: Secret) -> None:
    for number in (1, 2, 3):
        archived(folder, identity, segment_name(1, number * SIZE, size=SIZE), b"x")
    key = f"{SYSTEM}/wal/00000001/{segment_name(1, 2 * SIZE, size=SIZE)}.json"
    (folder.root / key).write_bytes(b"{")

    index = read_index(folder, SYSTEM)

    assert index.damaged == (key,)
    assert len(index.gaps) == 1
    assert key in [fault.object for fault in verify(folder).damaged]


def test_names_of_segments_follow_each_other_over_the_end_of_a_file_number() -> None:
    assert next_segment("0000000100000000000000FF") == "000000010000000100000000"
    assert segment_name(1, parse_lsn("1/2000028")) == "000000010000000100000002"
    assert format_lsn(parse_lsn("0/2000028")) == "0/2000028"
