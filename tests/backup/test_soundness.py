"""Native incremental backups are taken where they restore what was there, and nowhere else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from pgkeel.backup import Folder, Gap, Record, Segment, WalIndex, fetch_relations, read_index, recipient_of
from pgkeel.backup.lsn import format_lsn, segment_name
from pgkeel.backup.planning import Plan, plan_backup
from pgkeel.backup.source import Source, is_sound
from pgkeel.core.secret import Secret
from pgkeel.local import Account, Cluster, Runtime, find_runtime
from pgkeel.local.runtime import _bundled
from pgkeel.local.wheels import bundled_install
from pgkeel.testing.servers import FAST, scratch_cluster, scratch_folder
from tests.backup.server import Server

AT = datetime(2026, 1, 2, 3, tzinfo=UTC)
SIZE = 2**24
SOURCE = Source(170011, "777", 1, checksums=True, summarizes=True, in_recovery=False, login="one", replicates=True)
FULL = Record("20260102T020000Z-full", "full", None, "777", "17.11", 1, "0/2000028", "0/2000120", AT, AT, (), size=2**30)


def planned(source: Source = SOURCE, full: Record | None = FULL, index: WalIndex | None = None, written: int = 2**26) -> Plan:
    records = [full] if full else []
    rto = timedelta(minutes=30)
    return plan_backup("incremental", source, records, index or WalIndex(), now=AT, written=written, rto=rto)


@pytest.mark.parametrize(
    ("version", "sound"),
    [("15.19", False), ("16.15", False), ("17.10", False), ("17.11", True), ("18.5", False), ("18.6", True), ("19.0", True)],
)
def test_a_release_is_sound_from_the_minor_on_that_corrects_it(version: str, sound: bool) -> None:
    assert is_sound(version) is sound


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        ({}, "incremental", ""),
        ({"number": 170010}, "wal", "restore wrong rows; 17.11 corrects it"),
        ({"number": 180005}, "wal", "restore wrong rows; 18.6 corrects it"),
        ({"number": 150019}, "wal", "has no incremental backups"),
        ({"checksums": False}, "wal", "no data checksums"),
        ({"summarizes": False}, "wal", "summarize_wal is off"),
        ({"timeline": 2}, "full", "on timeline 2 now"),
        ({"tablespaces": (16400,)}, "incremental", ""),
        ({"number": 150019, "tablespaces": (16400,)}, "full", "a tablespace was made after the last full backup"),
        ({"system": "778"}, "full", "no full backup of this cluster"),
    ],
)
def test_the_plan_says_what_is_taken_instead_and_why(change: dict[str, object], kind: str, reason: str) -> None:
    plan = planned(replace(SOURCE, **change))

    assert plan.kind == kind
    assert reason in plan.reason


def test_what_an_undone_recovery_left_on_a_later_timeline_forces_no_full_backup() -> None:
    left = replace(FULL, id="20260102T023000Z-full", timeline=2, start_lsn="0/5000028", end_lsn="0/5000120")

    plan = plan_backup("incremental", SOURCE, [FULL, left], WalIndex(), now=AT, written=2**26, rto=timedelta(minutes=30))

    assert (plan.kind, plan.parent) == ("incremental", FULL)


def test_a_full_backup_is_forced_after_leaving_an_unsound_minor() -> None:
    plan = planned(full=replace(FULL, server_version="17.10"))

    assert (plan.kind, plan.parent) == ("full", None)
    assert "17.10" in plan.reason


def test_a_full_backup_is_forced_after_checksums_were_enabled() -> None:
    plan = planned(full=replace(FULL, checksums=False))

    assert (plan.kind, plan.parent) == ("full", None)
    assert "before the cluster got data checksums" in plan.reason
    assert planned(replace(SOURCE, checksums=False), replace(FULL, checksums=False)).kind == "wal"


def test_a_full_backup_is_taken_early_when_replaying_would_take_longer_than_promised() -> None:
    old = replace(SOURCE, number=160015)

    assert planned(old, written=2**36).kind == "wal"
    assert planned(old, written=2**40).kind == "full"


def test_a_gap_after_the_full_backup_forces_another(folder: Folder) -> None:
    def segment(number: int) -> Segment:
        name = segment_name(1, number * SIZE)
        return Segment(name, "777", SIZE, "", 0, None, None, None, None, None, None, True, (), ())

    index = WalIndex((segment(2), segment(4)))

    assert index.gaps == (Gap(1, format_lsn(3 * SIZE), format_lsn(4 * SIZE)),)
    assert planned(index=index).kind == "full"
    assert "is missing from 0/3000000 to 0/4000000" in planned(index=index).reason


def sliced(runtime: Runtime, account: Account, folder: Folder, identity: Secret, tmp_path: Path) -> tuple[Record, str]:
    """Take a full backup and what comes an hour later, with a receiver beside it; return the second and why it is what it is."""
    recipients = [recipient_of(identity)]
    with scratch_cluster(runtime=runtime, account=account) as cluster:
        server = Server(cluster, tmp_path)
        spool = server.spool()
        archiver = server.archiver(spool, folder, recipients)
        with server.receiving(spool), server.taker(folder, recipients) as taker:
            taker.take("full")
            server.switch()
            reason = taker.plan("incremental").reason
            return taker.take("incremental", wait=lambda duration: (archiver.run(), server.pause(duration))[1]), reason


def test_17_10_is_refused_natively_and_its_hour_is_a_sealed_slice_of_wal(
    account: Account, folder: Folder, identity: Secret, tmp_path: Path
) -> None:
    if bundled_install() is None:
        pytest.skip("the bundled release is not installed")
    with scratch_folder() as runtimes:
        runtime = _bundled(account, runtimes)
        if is_sound(runtime.version):
            pytest.skip(f"the bundled release is {runtime.version}")
        record, reason = sliced(runtime, account, folder, identity, tmp_path)

    assert "restore wrong rows" in reason
    assert (record.kind, record.parts, record.restore_point) == ("wal", (), record.id)
    points = [point.name for segment in read_index(folder, record.system_identifier).segments for point in segment.restore_points]
    assert points == [record.id]
    assert fetch_relations(record, [folder], identity).database == "postgres"


def test_after_leaving_17_10_a_full_backup_is_forced_and_the_next_hour_builds_on_it(
    runtime: Runtime, account: Account, folder: Folder, identity: Secret, tmp_path: Path
) -> None:
    """The same cluster under the next minor: what 17.10 wrote down of its changes is void."""
    if bundled_install() is None:
        pytest.skip("the bundled release is not installed")
    recipients = [recipient_of(identity)]
    with scratch_folder() as runtimes, scratch_folder() as place:
        before = _bundled(account, runtimes)
        if is_sound(before.version) or not is_sound(runtime.version):
            pytest.skip(f"the bundled release is {before.version}, the other {runtime.version}")
        settings = {**FAST, "summarize_wal": "on"}
        fields = {"account": account, "superuser_password": Secret("x")}
        with Cluster.create(place / "one", runtime=before, settings=settings, **fields) as cluster:  # type: ignore[arg-type]
            server = Server(cluster, tmp_path)
            with server.taker(folder, recipients) as taker:
                taker.take("full")
        with Cluster.open(place / "one", runtime=runtime, settings=settings, **fields) as cluster:  # type: ignore[arg-type]
            server = Server(cluster, tmp_path)
            with server.taker(folder, recipients) as taker:
                reason = taker.plan("incremental").reason
                taken = [taker.take("incremental").kind, taker.take("incremental").kind]

    assert "taken by PostgreSQL 17.10, which is unsound" in reason
    assert taken == ["full", "incremental"]


@pytest.mark.majors
def test_each_major_takes_what_is_sound_there(
    major: str, account: Account, folder: Folder, identity: Secret, tmp_path: Path
) -> None:
    runtime = find_runtime(major, account=account)

    record, _ = sliced(runtime, account, folder, identity, tmp_path)

    assert record.kind == ("incremental" if is_sound(runtime.version) else "wal")
    assert read_index(folder, record.system_identifier).gaps == ()
