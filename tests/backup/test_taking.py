"""Backups of a real server: what they hold, what they build on, and what a killed one leaves."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pgkeel.backup import (
    Folder,
    Record,
    RepositoryFailed,
    fetch_backup,
    fetch_manifest,
    fetch_relations,
    read_catalogue,
    recipient_of,
    relations_of,
    verify,
)
from pgkeel.backup.basebackup import Compressor, WalRange, next_compressor, range_of
from pgkeel.backup.errors import Damaged
from pgkeel.backup.lease import working
from pgkeel.backup.replication import NoReplication, is_replication_refused
from pgkeel.backup.taking import Taker
from pgkeel.backup.tools import ToolFailed, start, tool
from pgkeel.core.errors import LockNotObtained
from pgkeel.core.secret import Secret
from pgkeel.local import Account, Runtime
from pgkeel.postgres import connect
from pgkeel.testing.servers import scratch_cluster
from tests.backup.server import Server


@pytest.fixture(scope="module")
def server(runtime: Runtime, account: Account, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"full_page_writes": "on", "wal_sender_timeout": "5s"}
    with scratch_cluster(runtime=runtime, account=account, settings=settings) as cluster:
        made = Server(cluster, tmp_path_factory.mktemp("backups"))
        made.run("CREATE TABLE kept AS SELECT n, repeat('x', 200) AS filler FROM generate_series(1, 5000) AS n")
        yield made


@pytest.fixture
def recipients(identity: Secret) -> list[str]:
    return [recipient_of(identity)]


def take(server: Server, repository: Folder, recipients: list[str], wish: str = "full") -> Record:
    with server.taker(repository, recipients) as taker:
        return taker.take("full" if wish == "full" else "incremental")


def test_a_full_backup_is_a_data_directory_that_postgresql_verifies(
    server: Server, folder: Folder, recipients: list[str], identity: Secret, tmp_path: Path
) -> None:
    record = take(server, folder, recipients)

    fetch_backup(record, [folder], identity, tmp_path / "data")
    said = tool(server.tools, "pg_verifybackup", tmp_path / "data")
    assert "backup successfully verified" in said
    assert (tmp_path / "data/backup_manifest").read_bytes() == fetch_manifest(record, [folder])
    assert read_catalogue(folder).records == (record,)
    assert verify(folder).damaged == ()
    assert record.bytes < record.size


def test_each_backup_knows_which_file_was_which_table(
    server: Server, folder: Folder, recipients: list[str], identity: Secret
) -> None:
    before = take(server, folder, recipients)
    server.run("TRUNCATE kept")
    server.run("INSERT INTO kept SELECT n, repeat('y', 200) FROM generate_series(1, 5000) AS n")
    after = take(server, folder, recipients, "incremental")

    files = [
        {relation.name: relation.file for relation in fetch_relations(record, [folder], identity).relations}["kept"]
        for record in (before, after)
    ]
    assert files[0] != files[1]


def test_an_incremental_backup_builds_on_the_full_one_and_is_combined_with_it(
    server: Server, folder: Folder, recipients: list[str], identity: Secret, tmp_path: Path
) -> None:
    full = take(server, folder, recipients)
    server.run("UPDATE kept SET filler = repeat('z', 200) WHERE n <= 100")
    first = take(server, folder, recipients, "incremental")
    second = take(server, folder, recipients, "incremental")

    assert [(record.kind, record.parent) for record in (first, second)] == [("incremental", full.id)] * 2
    assert second.bytes < full.bytes / 2
    for name, record in (("full", full), ("second", second)):
        fetch_backup(record, [folder], identity, tmp_path / name)
    tool(server.tools, "pg_combinebackup", tmp_path / "full", tmp_path / "second", "-o", tmp_path / "whole")
    assert "successfully verified" in tool(server.tools, "pg_verifybackup", tmp_path / "whole")


def test_an_incremental_backup_without_a_full_one_becomes_one(server: Server, folder: Folder, recipients: list[str]) -> None:
    with server.taker(folder, recipients) as taker:
        plan = taker.plan("incremental")
        record = taker.take("incremental")

    assert (plan.kind, record.kind) == ("full", "full")
    assert "no full backup" in plan.reason


@pytest.mark.faults
def test_a_backup_whose_pg_basebackup_is_killed_leaves_nothing(server: Server, folder: Folder, recipients: list[str]) -> None:
    def killed(argv: list[str], **given: object) -> "subprocess.Popen[bytes]":
        child = start([*argv, "--max-rate=1M"], **given)  # type: ignore[arg-type]
        threading.Timer(0.5, child.kill).start()
        return child

    with server.taker(folder, recipients, spawn=killed) as taker, pytest.raises(ToolFailed):  # type: ignore[arg-type]
        taker.take("full")

    assert [stored.key for stored in folder.list()] == []


PROGRAM = """
import sys
from pathlib import Path
from pgkeel.backup import Folder, Programs, Tools, relations_of
from pgkeel.backup.taking import Order, Taker
from pgkeel.backup.tools import start
from pgkeel.core.url import Url
from pgkeel.postgres import connect

address, folder, bins, recipient, url = sys.argv[1:]
tools = Tools(17, 11, Path(bins))
slow = lambda argv, **given: start([*argv, "--max-rate=2M"], **given)
with connect(Url.parse(url)) as connection:
    order = Order(Folder("local", Path(folder)), [recipient], Programs(tools, tools), address, "killed")
    Taker(order, connection, relations=lambda: relations_of(connection), spawn=slow).take("full")
"""


@pytest.mark.faults
def test_a_backup_that_is_killed_counts_for_nothing_and_the_next_one_sweeps_it_up(
    server: Server, folder: Folder, recipients: list[str], tmp_path: Path
) -> None:
    import sys

    arguments = [
        server.address,
        str(folder.root),
        str(server.tools.folder),
        recipients[0],
        server.cluster.superuser_url().reveal(),
    ]
    child = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments])
    until = time.monotonic() + 60
    while not any("relations" in stored.key for stored in folder.list()) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)
    child.send_signal(signal.SIGKILL)
    child.wait()

    assert read_catalogue(folder).records == ()
    assert read_catalogue(folder).unfinished
    with pytest.raises(LockNotObtained), server.taker(folder, recipients) as taker:
        taker.take("full")  # its lease has not ended yet
    for stored in list(folder.list(f"{server.system()}/lease")):
        folder.delete(stored.key)  # as if its two minutes were over
    record = take(server, folder, recipients)
    assert read_catalogue(folder).records == (record,)
    assert read_catalogue(folder).unfinished == ()


@pytest.mark.faults
def test_a_full_disk_ends_the_backup_and_leaves_nothing_of_it(
    server: Server, folder: Folder, recipients: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with server.taker(folder, recipients) as taker, pytest.raises(RepositoryFailed, match="too large"):
            taker.take("full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, previous)

    assert [stored.key for stored in folder.list()] == []
    assert take(server, folder, recipients).kind == "full"


@pytest.mark.faults
def test_a_server_that_is_killed_during_a_backup_ends_it_and_the_next_one_succeeds(
    server: Server, folder: Folder, recipients: list[str]
) -> None:
    def start_and_kill(argv: list[str], **given: object) -> "subprocess.Popen[bytes]":
        child = start([*argv, "--max-rate=1M"], **given)  # type: ignore[arg-type]
        time.sleep(0.5)
        server.cluster.kill()
        return child

    try:
        with server.taker(folder, recipients, spawn=start_and_kill) as taker, pytest.raises(ToolFailed):  # type: ignore[arg-type]
            taker.take("full")
    finally:
        server.cluster.start()

    assert [stored.key for stored in folder.list()] == []
    assert take(server, folder, recipients).kind == "full"


@pytest.fixture
def noise(server: Server) -> Iterator[None]:
    """Make a table that a backup takes a while to stream."""
    server.run("CREATE TABLE noise AS SELECT sha512(n::text::bytea) FROM generate_series(1, 200000) AS n")
    yield
    server.run("DROP TABLE noise")


def end_segments(server: Server, rounds: list[int]) -> None:
    """Let checkpoints remove WAL while a backup streams, until nothing is left of the rounds."""
    with server.connect() as connection:
        streams = connection.execute("SELECT FROM pg_stat_progress_basebackup WHERE phase = 'streaming database files'")
        while rounds and streams.rowcount:
            server.switch()
            server.run("CHECKPOINT")
            rounds.pop()


@pytest.mark.usefixtures("noise")
@pytest.mark.faults
def test_checkpoints_during_a_backup_do_not_remove_the_wal_that_it_ends_with(
    server: Server, folder: Folder, recipients: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgkeel.backup.replication._SHORT", 0.0)
    rounds = list(range(5))

    with server.taker(folder, recipients) as taker:
        taker.take("full", progress=lambda _done, _total: end_segments(server, rounds))
        assert rounds == [], "it was over too soon"
        with server.connect() as connection:
            assert connection.execute("SELECT slot_name FROM pg_replication_slots").fetchall() == []

    server.run("SELECT pg_create_physical_replication_slot('s' || n) FROM generate_series(1, 10) AS n")
    with server.taker(folder, recipients) as taker:
        taker.take("full")
    server.run("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")
    assert "backup.wal_not_kept" in caplog.text


@pytest.mark.usefixtures("noise")
@pytest.mark.faults
def test_a_backup_whose_wal_a_checkpoint_removed_before_it_was_kept_is_taken_again(
    server: Server, folder: Folder, recipients: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgkeel.backup.replication._SHORT", 3600.0)
    server.run("ALTER SYSTEM SET summarize_wal = off")  # it keeps WAL that it has not read
    server.run("SELECT pg_reload_conf()")
    tries = {False: list(range(5)), True: list(range(5))}

    def busy(_done: int, _total: int) -> None:
        end_segments(server, tries["backup.wal_removed" in caplog.text])

    with server.taker(folder, recipients) as taker:
        record = taker.take("full", progress=busy)

    assert tries == {False: [], True: []}
    assert record in read_catalogue(folder).records
    assert verify(folder).damaged == ()
    server.run("ALTER SYSTEM RESET summarize_wal")
    server.run("SELECT pg_reload_conf()")


def test_two_processes_do_not_take_backups_of_a_cluster_at_once(server: Server, folder: Folder, recipients: list[str]) -> None:
    with working(folder, server.system(), holder="elsewhere:1"):
        with pytest.raises(LockNotObtained, match="elsewhere:1"):
            take(server, folder, recipients)
        with server.taker(folder, recipients, patience=timedelta(seconds=1)) as taker, pytest.raises(LockNotObtained):
            taker.take("full")

    assert take(server, folder, recipients).kind == "full"


_SERVER, _CLIENT = (f"{side}-zstd:level=1,workers=1" for side in ("server", "client"))
_NO_ZSTD = "error: invalid compression specification: this build does not support compression with ZSTD"
_NO_THREADS = "error: could not initiate base backup: ERROR:  could not set compression worker count to 1: Unsupported parameter"


@pytest.mark.parametrize(
    ("refusal", "refused", "words"),
    [
        (_NO_ZSTD, ["server"], [_SERVER, _CLIENT]),
        (_NO_ZSTD, ["server", "client"], [_SERVER, _CLIENT, "none"]),
        (_NO_THREADS, ["workers"], [_SERVER, "server-zstd:1"]),
    ],
)
def test_who_was_built_without_zstd_or_its_threads_leaves_compressing_to_the_next(
    refusal: str,
    refused: list[str],
    words: list[str],
    server: Server,
    folder: Folder,
    recipients: list[str],
    identity: Secret,
    tmp_path: Path,
) -> None:
    asked: list[str] = []

    def refusing(argv: list[str], **given: object) -> "subprocess.Popen[bytes]":
        asked.append(next(word for word in argv if word.startswith("--compress=")))
        said = ["/bin/sh", "-c", f"echo '{refusal}' >&2; exit 1"]
        return start(said if any(one in asked[-1] for one in refused) else argv, **given)  # type: ignore[arg-type]

    with server.taker(folder, recipients, spawn=refusing, staging=tmp_path / "staging") as taker:  # type: ignore[arg-type]
        record = taker.take("full")

    assert [word.removeprefix("--compress=") for word in asked] == words
    fetch_backup(record, [folder], identity, tmp_path / "data")
    assert "successfully verified" in tool(server.tools, "pg_verifybackup", tmp_path / "data")
    assert record.bytes < record.size / 2
    assert list((tmp_path / "staging").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="SCHED_BATCH is Linux's")
def test_who_carries_a_backup_away_gives_way_to_the_server_and_the_caller_is_as_before(
    server: Server, folder: Folder, recipients: list[str]
) -> None:
    seen: list[int] = []

    def looking(argv: list[str], **given: object) -> "subprocess.Popen[bytes]":
        child = start(argv, **given)  # type: ignore[arg-type]
        seen.append(os.sched_getscheduler(child.pid))
        return child

    with server.taker(folder, recipients, spawn=looking) as taker:  # type: ignore[arg-type]
        taker.take("full")

    assert seen == [os.SCHED_BATCH]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize(
    ("compressor", "refusal", "instead"),
    [
        ("client", "could not set compression worker count to 1: Unsupported parameter", "lone client"),
        ("lone client", _NO_ZSTD, "nobody"),
        ("lone server", _NO_ZSTD, "client"),
        ("nobody", _NO_ZSTD, None),
        ("server", "connection to server was lost", None),
    ],
)
def test_each_compressor_has_another_behind_it_until_nobody_is_left(
    compressor: Compressor, refusal: str, instead: Compressor | None
) -> None:
    assert next_compressor(compressor, refusal) == instead


def test_a_login_that_may_not_replicate_is_told_before_anything_runs_and_what_to_use_instead(
    server: Server, folder: Folder, recipients: list[str]
) -> None:
    server.run("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    url = server.cluster.superuser_url().with_login("guest", Secret("guest"))

    with connect(url) as connection, pytest.raises(NoReplication, match="guest may not replicate") as refused:
        Taker(server.order(folder, recipients), connection, relations=lambda: relations_of(connection)).plan("full")

    assert refused.value.hint.startswith("`ALTER ROLE guest REPLICATION`")
    assert "managed services" in refused.value.hint
    assert "snapshots and point-in-time recovery" in refused.value.hint


def test_a_server_that_refuses_replication_connections_is_told_from_one_where_the_tool_failed(
    server: Server, folder: Folder, recipients: list[str]
) -> None:
    rules = server.cluster.plan.directory / "conf/pg_hba.conf"
    allowed = rules.read_text()
    rules.write_text("local replication all reject\nhost replication all all reject\n" + allowed)
    try:
        reload_until(server, is_refused=True)
        with pytest.raises(NoReplication, match="refuses postgres's replication connections") as refused:
            take(server, folder, recipients)
    finally:
        rules.write_text(allowed)
        reload_until(server, is_refused=False)

    assert "pg_hba.conf" in refused.value.hint
    assert "snapshots and point-in-time recovery" in refused.value.hint
    assert list(folder.list()) == []
    assert take(server, folder, recipients).kind == "full"


def reload_until(server: Server, *, is_refused: bool) -> None:
    with server.connect() as connection:
        connection.execute("SELECT pg_reload_conf()")
        for _ in range(600):
            if is_replication_refused(server.address, connection) is is_refused:
                return
            server.pause(timedelta(seconds=0.05))
    raise AssertionError(is_refused)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"{}",
        b'{"WAL-Ranges": []}',
        b'{"WAL-Ranges": [{"Timeline": "one", "Start-LSN": "0/1", "End-LSN": "0/2"}]}',
        b'{"WAL-Ranges": [{"Timeline": 1, "Start-LSN": "nowhere", "End-LSN": "0/2"}]}',
        b'{"WAL-Ranges": [{"Timeline": 1, "Start-LSN": "0/1", "End-LSN": ""}]}',
    ],
)
def test_a_manifest_that_says_no_range_is_damaged(manifest: bytes) -> None:
    with pytest.raises(Damaged, match="manifest cannot be read"):
        range_of(manifest)


def test_the_range_of_a_backup_goes_over_its_timelines() -> None:
    ranges = b'[{"Timeline": 1, "Start-LSN": "0/1", "End-LSN": "0/2"}, {"Timeline": 2, "Start-LSN": "0/2", "End-LSN": "0/3"}]'
    assert range_of(b'{"Files": [{"Path": "PG_VERSION", "Size": 3}], "WAL-Ranges": %b}' % ranges) == WalRange(2, "0/1", "0/3")
