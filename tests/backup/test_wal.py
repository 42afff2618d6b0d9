"""WAL on its way from a real server into a repository."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from pgkeel.backup import (
    Bucket,
    Damaged,
    Folder,
    KeyTaken,
    RepositoryUnreachable,
    fetch_open_segment,
    fetch_segment,
    read_index,
    recipient_of,
    verify,
)
from pgkeel.backup.receiving import drop_lost_slot, ensure_slot, slot_of
from pgkeel.backup.spool import Spool
from pgkeel.backup.tools import start, tool
from pgkeel.backup.waldump import contents_of
from pgkeel.core.secret import Secret
from pgkeel.local import Account, Runtime
from pgkeel.testing.servers import scratch_cluster
from tests.backup.proxy import LOST, FaultProxy
from tests.backup.server import SLOT, Server


@pytest.fixture(scope="module")
def server(runtime: Runtime, account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with scratch_cluster(runtime=runtime, account=account, settings={"wal_sender_timeout": "5s"}) as cluster:
        made = Server(cluster, tmp_path_factory.mktemp("wal"))
        made.run("CREATE TABLE rows (n integer)")
        yield made


@pytest.fixture
def spool(server: Server, tmp_path: Path) -> Iterator[Spool]:
    """The receiver's folder, empty; its slot is gone after the test."""
    server.folder = tmp_path
    server.passfile.replace(tmp_path / "passfile")
    server.passfile = tmp_path / "passfile"
    yield server.spool()
    server.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")


@pytest.fixture
def recipients(identity: Secret) -> list[str]:
    return [recipient_of(identity)]


def received(server: Server, spool: Spool, segments: int) -> None:
    """Receive until so many segments are closed and what follows is being written."""
    with server.connect() as connection:
        ensure_slot(connection, SLOT)
    for _ in range(segments):
        server.switch()
    server.run("INSERT INTO rows VALUES (1)")
    server.receive(spool, lambda: len(spool.closed()) >= segments and server.has_all(spool))


def test_closed_segments_are_archived_with_what_they_hold_and_come_back_bit_by_bit(
    server: Server, spool: Spool, folder: Folder, recipients: list[str], identity: Secret, tmp_path: Path
) -> None:
    with server.connect() as connection:
        ensure_slot(connection, SLOT)
        connection.execute("INSERT INTO rows VALUES (7)")
        connection.execute("SELECT pg_create_restore_point('before the party')")
    received(server, spool, 2)
    clear = {path.name: path.read_bytes() for path in spool.closed()}

    done = server.archiver(spool, folder, recipients).run()

    index = read_index(folder, spool.folder.name)
    assert done.segments == tuple(sorted(clear)) == tuple(segment.name for segment in index.segments)
    assert spool.closed() == []
    (first,) = [segment for segment in index.segments if segment.restore_points]  # the slot may begin before it
    assert [point.name for point in first.restore_points] == ["before the party"]
    assert first.commits >= 1
    assert first.is_monotonic
    assert first.last_commit_at is not None
    for segment in index.segments:
        fetch_segment(segment, [folder], identity, tmp_path / segment.name)
        assert (tmp_path / segment.name).read_bytes() == clear[segment.name]
    assert index.gaps == ()


def test_the_filled_prefix_of_the_open_segment_is_shipped_in_pieces_and_goes_when_the_segment_is_whole(
    server: Server, spool: Spool, folder: Folder, recipients: list[str], identity: Secret, tmp_path: Path
) -> None:
    received(server, spool, 1)
    archiver = server.archiver(spool, folder, recipients)
    archiver.run()
    assert archiver.ship() > 0
    assert archiver.ship() == 0
    server.run("INSERT INTO rows VALUES (2)")
    server.receive(spool, lambda: server.has_all(spool))
    assert server.archiver(spool, folder, recipients).ship() > 0  # another process goes on where the first one stopped

    (span,) = read_index(folder, spool.folder.name).spans
    name = span.pieces[0].segment
    filled = fetch_open_segment(span.pieces, [folder], identity, tmp_path / name)
    assert (tmp_path / name).read_bytes()[:filled] == spool.open_segments()[0].filled()
    tool(server.tools, "pg_waldump", "--quiet", "--limit=1", tmp_path / name)

    server.switch()
    server.receive(spool, lambda: bool(spool.closed()))
    archiver.run()
    assert read_index(folder, spool.folder.name).pieces == ()
    assert verify(folder).damaged == ()


def test_segments_inside_one_long_record_are_archived_and_a_torn_one_is_not(
    server: Server, spool: Spool, folder: Folder, recipients: list[str]
) -> None:
    with server.connect() as connection:
        ensure_slot(connection, SLOT)
        connection.execute("SELECT pg_switch_wal()")
        for _ in range(2):  # 61 MiB each; where the first ends, the second begins
            connection.execute("SELECT pg_logical_emit_message(false, 'test', repeat(md5('x'), 2000000))")
    received(server, spool, 1)
    inside = spool.closed()[-3]
    torn = bytearray(inside.read_bytes())
    torn[5 * 8192 + 8] ^= 1  # the address of a page
    (spool.folder / "torn").mkdir()
    copy = spool.folder / "torn" / inside.name
    copy.write_bytes(torn)

    done = server.archiver(spool, folder, recipients).run()

    assert done.damaged == ()
    assert inside.name in done.segments
    assert read_index(folder, spool.folder.name).gaps == ()
    with pytest.raises(Damaged, match="valid record"):
        contents_of(copy, server.tools)


@pytest.mark.faults
def test_a_bit_that_flips_on_the_way_is_found_and_leaves_a_gap_that_is_named(
    server: Server, spool: Spool, folder: Folder, recipients: list[str]
) -> None:
    received(server, spool, 3)
    path = spool.closed()[1]
    content = bytearray(path.read_bytes())
    content[70] ^= 0x55
    path.write_bytes(content)

    done = server.archiver(spool, folder, recipients).run()

    assert done.damaged == (path.name,)
    assert (spool.folder / "damaged" / path.name).exists()
    (gap,) = read_index(folder, spool.folder.name).gaps
    assert gap.timeline == 1


@pytest.mark.faults
def test_an_archiver_that_is_killed_anywhere_is_simply_run_again(
    server: Server, spool: Spool, folder: Folder, recipients: list[str]
) -> None:
    received(server, spool, 1)
    path = spool.closed()[0]
    content = path.read_bytes()
    archiver = server.archiver(spool, folder, recipients)
    archiver.run()
    key = f"{spool.folder.name}/wal/00000001/{path.name}"

    path.write_bytes(content)  # killed before the file was deleted
    archiver.run()
    (folder.root / f"{key}.json").unlink()  # killed before the row was stored
    path.write_bytes(content)
    archiver.run()

    segment = next(one for one in read_index(folder, spool.folder.name).segments if one.name == path.name)
    assert segment.sha256 == hashlib.sha256(content).hexdigest()
    assert verify(folder).damaged == ()
    assert spool.closed() == []


@pytest.mark.faults
def test_an_archiver_whose_bucket_errs_and_loses_answers_stores_all_that_was_received(
    server: Server, spool: Spool, s3_bucket: Bucket, s3_endpoint: str, recipients: list[str], request: pytest.FixtureRequest
) -> None:
    received(server, spool, 2)
    names = [path.name for path in spool.closed()]
    with closing(FaultProxy(s3_endpoint)) as line:
        name = f"b{abs(hash(request.node.nodeid))}"
        geo = Bucket("geo", bucket=name, prefix="keel", endpoint=line.url, patience=timedelta(seconds=5))
        archiver = server.archiver(spool, geo, recipients)
        line.faults = [("PUT", LOST, b""), ("PUT", 503, b"SlowDown"), ("PUT", 0, b""), ("GET", 500, b""), ("PUT", LOST, b"")]
        while line.faults or spool.closed():
            with suppress(RepositoryUnreachable):  # the agent starts it again
                archiver.run()
                archiver.ship()

    index = read_index(s3_bucket, spool.folder.name)
    assert [segment.name for segment in index.segments] == names
    assert index.spans[-1].pieces
    assert verify(s3_bucket).damaged == ()


@pytest.mark.faults
def test_a_copy_of_the_cluster_cannot_archive_over_the_original(
    server: Server, spool: Spool, folder: Folder, recipients: list[str]
) -> None:
    received(server, spool, 1)
    path = spool.closed()[0]
    archiver = server.archiver(spool, folder, recipients)
    content = path.read_bytes()
    archiver.run()
    path.write_bytes(content[:-1] + b"\1")

    with pytest.raises(KeyTaken, match="other WAL lies"):
        archiver.run()
    assert path.exists()


@pytest.mark.faults
def test_a_receiver_that_is_killed_goes_on_without_a_gap(
    server: Server, spool: Spool, folder: Folder, recipients: list[str]
) -> None:
    children: list[subprocess.Popen[bytes]] = []

    def kept(argv: list[str], **given: object) -> "subprocess.Popen[bytes]":
        children.append(start(argv, **given))  # type: ignore[arg-type]
        return children[-1]

    def killed() -> bool:
        if spool.open_segments():
            os.kill(children[-1].pid, 9)
            return True
        return False

    server.receive(spool, killed, spawn=kept)  # type: ignore[arg-type]
    for _ in range(2):
        server.switch()
    server.run("INSERT INTO rows VALUES (3)")
    server.receive(spool, lambda: server.has_all(spool))
    server.archiver(spool, folder, recipients).run()

    index = read_index(folder, spool.folder.name)
    assert len(index.segments) >= 2
    assert index.gaps == ()


@pytest.mark.faults
def test_a_slot_whose_wal_the_server_removed_is_dropped_and_the_gap_is_found(
    server: Server, spool: Spool, folder: Folder, recipients: list[str]
) -> None:
    received(server, spool, 1)
    archiver = server.archiver(spool, folder, recipients)
    server.run("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    server.run("SELECT pg_reload_conf()")
    try:
        for _ in range(4):
            server.switch()
            server.run("CHECKPOINT")
        with server.connect() as connection:
            assert drop_lost_slot(connection, SLOT)
            assert slot_of(connection, SLOT) is None
            assert not drop_lost_slot(connection, SLOT)
        archiver.run()
        spool.clear()
        received(server, spool, 1)
        archiver.run()
    finally:
        server.run("ALTER SYSTEM RESET max_slot_wal_keep_size")
        server.run("SELECT pg_reload_conf()")

    assert len(read_index(folder, spool.folder.name).gaps) == 1
