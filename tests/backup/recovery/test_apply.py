import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pgkeel.backup.recovery.chain import Link, combine
from pgkeel.backup.recovery.checks import check_offline, check_online
from pgkeel.backup.recovery.cut import Cut
from pgkeel.backup.recovery.errors import VerificationFailed, WalDamaged, WalMissing
from pgkeel.backup.recovery.programs import outcome
from pgkeel.backup.recovery.search import TableFiles, cut_of
from pgkeel.backup.recovery.side import promote
from pgkeel.backup.recovery.wal import require_whole
from pgkeel.backup.recovery.wish import wish_from
from pgkeel.core.clock import now
from pgkeel.core.errors import KeelError
from pgkeel.postgres import connect
from tests.backup.recovery.conftest import History, Side

SEGMENT = 16 * 2**20


def find(history: History, to: str | None = None, **options: object) -> Cut:
    return cut_of(wish_from(to, now=now(), **options), history.wal(), history.tools, lambda _: TableFiles())  # type: ignore[arg-type]


def test_everything_before_a_transaction_is_kept_and_nothing_of_it(history: History, side: Side) -> None:
    history.sql("CREATE TABLE a (n int PRIMARY KEY)", "INSERT INTO a SELECT generate_series(1, 50)", "INSERT INTO a VALUES (51)")
    with history.connect() as connection, connection.transaction():
        connection.execute("DELETE FROM a")
        row = connection.execute("SELECT txid_current() AS xid").fetchone()
    history.sql("INSERT INTO a VALUES (99)")
    assert row is not None

    side.restore(find(history, before_xid=row["xid"]))

    assert side.values("SELECT n FROM a ORDER BY n") == list(range(1, 52))


def test_an_idle_database_reaches_a_time_after_its_last_commit(history: History, side: Side) -> None:
    history.sql("CREATE TABLE idle (n int PRIMARY KEY)", "INSERT INTO idle VALUES (1)")
    cut = find(history, now().isoformat())
    side.restore(cut)
    assert cut.left is None
    assert side.values("SELECT n FROM idle") == [1]


def test_rows_that_bear_an_earlier_time_than_their_commit_are_warned_about(history: History, side: Side) -> None:
    history.sql("CREATE TABLE t (n int PRIMARY KEY, at timestamptz DEFAULT clock_timestamp())", "INSERT INTO t VALUES (1)")
    history.sql("INSERT INTO t SELECT generate_series(2, 1000)")
    newest = history.value("SELECT to_char(max(at) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') || 'Z' FROM t")

    cut = find(history, str(newest))
    side.restore(find(history, cut.warnings[0].split("--to ")[1].split()[0]))

    assert "is left out; rows that it wrote may bear earlier times" in cut.warnings[0]
    assert side.values("SELECT count(*) FROM t") == [1000]


def test_what_was_restored_passes_every_check(history: History, side: Side) -> None:
    history.sql("CREATE TABLE sound (n int PRIMARY KEY)", "INSERT INTO sound SELECT generate_series(1, 500)", "VACUUM sound")
    server = side.restore(find(history))

    timeline = promote(server)
    assertions = {"rows": "SELECT count(*) = 500 FROM sound", "wrong": "SELECT false", "broken": "SELECT 1/0"}
    said, read = list[str](), list[tuple[int, int]]()
    found = check_online(server, history.tools, "postgres", assertions=assertions, report=said.append)
    online = {one.name: one for one in found}
    extensions = side.values("SELECT extname FROM pg_extension ORDER BY 1")
    server.stop()
    offline = check_offline(server, history.tools, said.append)
    ended = outcome(history.tools, "pg_checksums", ["-D", server.data], lambda done, total: read.append((done, total)))

    assert timeline == 2
    assert {name: one.ok for name, one in online.items()} == {
        "amcheck": True,
        "visibility": True,
        "rows": True,
        "assertion rows": True,
        "assertion wrong": False,
        "assertion broken": False,
    }, online
    assert online["assertion broken"].detail == "division by zero"
    assert extensions == ["plpgsql"]
    assert offline.ok is True, offline
    assert [line for line in said if not line.startswith("  ")] == [
        "reading every table and index (pg_amcheck)",
        "comparing visibility maps with their pages, and counting rows twice",
        "reading every page (pg_checksums)",
    ]
    assert read[-1][0] == read[-1][1] > 0
    assert (ended.code, "computed" in ended.said, "Bad checksums:  0" in ended.said) == (0, False, True)


def test_a_side_server_cannot_be_reached_and_waits_for_nobody(history: History, side: Side) -> None:
    server = side.restore(find(history), auto="synchronous_standby_names = 'never'\nport = 5432\nlisten_addresses = '*'\n")
    promote(server)
    with connect(server.superuser_url()) as connection:
        connection.execute("CREATE TABLE written ()")
    shown = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN "
    found = side.values(shown + "('archive_mode', 'listen_addresses', 'primary_conninfo', 'synchronous_standby_names')")
    assert found == ["archive_mode=off listen_addresses= primary_conninfo= synchronous_standby_names="]


def test_a_missing_segment_is_refused_where_postgresql_would_promote(history: History) -> None:
    history.sql(
        "CREATE TABLE m (n int)",
        "SELECT pg_switch_wal()",
        "INSERT INTO m VALUES (1)",
        "SELECT pg_switch_wal()",
        "INSERT INTO m VALUES (2)",
    )
    cut, wal = find(history), history.wal()
    assert cut.kept is not None
    middle = wal.segments(SEGMENT)[-2]
    require_whole(wal, cut.kept.lsn, history.tools, size=SEGMENT)

    (wal.folder / middle).unlink()
    with pytest.raises(WalMissing, match=middle):
        require_whole(wal, cut.kept.lsn, history.tools, size=SEGMENT)


def test_a_flipped_bit_in_the_wal_is_refused(history: History) -> None:
    history.sql("CREATE TABLE flipped (n int)", "SELECT pg_switch_wal()", "INSERT INTO flipped VALUES (1)")
    cut, wal = find(history), history.wal()
    assert cut.kept is not None
    segment = wal.folder / wal.segments(SEGMENT)[-2]
    content = bytearray(segment.read_bytes())
    content[40] ^= 0x55  # the first byte behind the header of the page: of a record, never what aligns the next one
    segment.write_bytes(content)
    with pytest.raises(WalDamaged, match="cannot be read up to"):
        require_whole(wal, cut.kept.lsn, history.tools, size=SEGMENT)


def test_a_flipped_bit_in_a_backup_is_found_before_anything_is_combined(history: History, tmp_path: Path) -> None:
    def damaged(place: Path, *_: object) -> None:
        shutil.copytree(history.base, place)
        victim = next((place / "base" / "5").glob("1259"))
        content = bytearray(victim.read_bytes())
        content[5000] ^= 1
        victim.write_bytes(content)

    with pytest.raises(VerificationFailed, match="backup base is not what was backed up"):
        combine([Link("base", damaged)], tmp_path / "links", tmp_path / "data", history.tools, lambda _: None)
    assert not (tmp_path / "data").exists()


def test_a_target_that_the_wal_does_not_hold_ends_loudly(history: History, side: Side) -> None:
    history.sql("CREATE TABLE newest (n int)")
    cut = find(history)
    assert cut.kept is not None
    beyond = Cut(1, type(cut.kept)(1, cut.kept.lsn + 64 * SEGMENT, datetime(2026, 1, 1, tzinfo=UTC)), None, timedelta(0))
    with pytest.raises(KeelError, match="recovery ended before configured recovery target was reached"):
        side.restore(beyond)
