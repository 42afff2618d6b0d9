"""Points that are found, or refused, in WAL that goes on behind a repository's first backups."""

import shutil
from pathlib import Path

import pytest

from pgkeel.backup.lsn import SEGMENT_BYTES, parse_lsn, segment_name, segment_start
from pgkeel.backup.recovery.errors import NotRestorable, TargetNotFound, WalDamaged, WalMissing
from pgkeel.backup.recovery.gather import Archive
from pgkeel.backup.recovery.resolve import Plan, resolve
from pgkeel.backup.recovery.wal import Wal, require_whole
from pgkeel.backup.recovery.wish import Wish, wish_from
from pgkeel.backup.wal_index import Piece
from pgkeel.core.clock import now
from pgkeel.local import Account
from tests.backup.recovery.conftest import History
from tests.backup.recovery.test_sealed import Vault, make_tablespace, no_files, vault

__all__ = ["vault"]


def test_wal_that_makes_a_tablespace_is_not_replayed_over_the_place_of_the_real_one(
    vault: Vault, history: History, account: Account, tmp_path: Path
) -> None:
    place = make_tablespace(history, account, "late")
    history.sql("INSERT INTO v VALUES (50000, 'later')")
    plan = vault.plan(Wish(), tmp_path / "wal")
    wal = Wal(tmp_path / "wal", plan.target.timeline, parse_lsn(plan.start))

    with pytest.raises(NotRestorable, match=f"the tablespace {place} was made after the backup"):
        require_whole(wal, parse_lsn(plan.end), history.tools, size=plan.segment_bytes)


def test_what_happened_behind_a_gap_is_found_from_the_backup_that_follows_it(
    vault: Vault, history: History, tmp_path: Path
) -> None:
    before = vault.take("full")
    history.sql("SELECT pg_create_restore_point('in front')", "SELECT pg_switch_wal()", "INSERT INTO v VALUES (60000)")
    with history.connect() as connection:
        row = connection.execute("SELECT pg_walfile_name(pg_current_wal_lsn()) AS name").fetchone()
    assert row is not None
    history.sql("SELECT pg_switch_wal()")
    after = vault.take("full")
    history.sql("SELECT pg_create_restore_point('behind')", "SELECT pg_switch_wal()")
    received = tmp_path / "received"
    shutil.copytree(history.cluster.data / "pg_wal", received, ignore=shutil.ignore_patterns(row["name"], "archive_status"))
    archive = Archive([vault.repository], vault.identity, folders=(received,))

    def plan(name: str) -> Plan:
        wish, place = wish_from(name, now=now()), tmp_path / name
        return resolve(wish, vault.records, archive, history.tools, place, files=lambda _: no_files, now=now())

    assert plan("behind").chain == (after.id,)
    assert plan("in front").chain == (before.id,)
    with pytest.raises(TargetNotFound):
        plan("nowhere")


def test_the_newest_point_is_refused_where_a_later_timeline_has_no_backup_yet(
    vault: Vault, history: History, tmp_path: Path
) -> None:
    taken = vault.take("full")
    history.sql("SELECT pg_create_restore_point('named')", "INSERT INTO v VALUES (90000)")
    piece = Piece(f"{2:08X}{0:08X}{255:08X}", taken.system_identifier, SEGMENT_BYTES, 0, 10, "", now(), ())
    archive = Archive([vault.repository], vault.identity, pieces=(piece,), folders=(history.cluster.data / "pg_wal",))

    def plan(wish: Wish, name: str) -> Plan:
        return resolve(wish, vault.records, archive, history.tools, tmp_path / name, files=lambda _: no_files, now=now())

    for number, wish in enumerate((Wish(), Wish(time=now()))):
        with pytest.raises(NotRestorable, match=r"timeline 2 went on until .* and has no backup yet") as refusal:
            plan(wish, f"newest{number}")
        assert "--timeline 1 recovers" in str(refusal.value.hint)
    assert plan(Wish(timeline=1), "one").target.timeline == 1
    assert plan(Wish(name="named"), "named").target.timeline == 1


def test_the_newest_point_is_refused_where_there_is_wal_behind_a_fault_until_somebody_says_how_far(
    vault: Vault, history: History, tmp_path: Path
) -> None:
    vault.take("full")
    for number in range(4):
        history.sql(f"INSERT INTO v VALUES ({70000 + number})", "SELECT pg_switch_wal()")
    history.sql("INSERT INTO v VALUES (80000)")
    received = tmp_path / "received"
    shutil.copytree(history.cluster.data / "pg_wal", received, ignore=shutil.ignore_patterns("archive_status"))
    archive = Archive([vault.repository], vault.identity, folders=(received,))
    asked = iter(range(20))

    def plan(wish: Wish) -> Plan:
        place = tmp_path / f"wal{next(asked)}"
        return resolve(wish, vault.records, archive, history.tools, place, files=lambda _: no_files, now=now())

    whole = plan(Wish())
    victim = received / segment_name(1, parse_lsn(whole.end) - 2 * SEGMENT_BYTES)
    content = victim.read_bytes()
    victim.write_bytes(content[:70] + bytes([content[70] ^ 1]) + content[71:])
    with pytest.raises(WalDamaged) as damaged:
        plan(Wish())
    victim.unlink()
    with pytest.raises(WalMissing, match=f"{victim.name} is missing, and later ones are there") as missing:
        plan(Wish(time=now()))

    hint = missing.value.hint
    assert hint is not None
    assert hint == damaged.value.hint
    before = plan(Wish(lsn=parse_lsn(hint.split()[1])))
    assert parse_lsn(before.end) < segment_start(victim.name)
    with pytest.raises(WalMissing):
        plan(Wish(lsn=parse_lsn(whole.end) + 1))
