"""What each major writes into its WAL differs a little; what is found in it must not."""

import pytest

from pgkeel.backup.lsn import SEGMENT_BYTES, segment_name
from pgkeel.backup.recovery.checks import check_offline, check_online
from pgkeel.backup.recovery.errors import WalDamaged
from pgkeel.backup.recovery.search import TableFiles, cut_of
from pgkeel.backup.recovery.side import promote
from pgkeel.backup.recovery.wal import require_whole
from pgkeel.backup.recovery.wish import wish_from
from pgkeel.core.clock import now
from tests.backup.recovery.conftest import History, Side, files_of


@pytest.mark.majors
def test_statements_are_found_and_recovered_from_on_every_major(history: History, side: Side, major: str) -> None:
    history.sql("CREATE TABLE a (n int PRIMARY KEY)", "INSERT INTO a SELECT generate_series(1, 50)", "VACUUM a")
    history.sql("SELECT pg_create_restore_point('fine')", "UPDATE a SET n = 51 WHERE n = 1", "DELETE FROM a WHERE n <= 20")
    first = files_of(history, "a")
    with history.connect() as connection, connection.transaction():
        connection.execute("SAVEPOINT s")
        connection.execute("DELETE FROM a WHERE n <= 30")
    history.sql("TRUNCATE a", "INSERT INTO a VALUES (1)")
    second = files_of(history, "a")
    history.sql("DROP TABLE a", "CREATE TABLE later ()")
    table, wal = TableFiles(first.files | second.files, first.oids), history.wal()

    wishes = {
        "named": wish_from("fine", now=now()),
        "updated": wish_from(before="UPDATE on a", now=now()),
        "deleted": wish_from(before="DELETE on a", rows=">= 15", now=now()),
        "in a savepoint": wish_from(before="DELETE on a", latest=True, now=now()),
        "truncated": wish_from(before="TRUNCATE on a", now=now()),
        "dropped": wish_from(before="DROP on a", now=now()),
    }
    cuts = {name: cut_of(wish, wal, history.tools, lambda _: table) for name, wish in wishes.items()}
    order = [cut.left.xid for cut in cuts.values() if cut.left]
    assert len(order) == 6
    assert order == sorted(order)
    assert cuts["named"] == cuts["updated"]
    assert len(set(order)) == 5

    server = side.restore(cuts["deleted"])
    assert side.values("SELECT count(*) FROM a") == [50]
    promote(server)
    online = check_online(server, history.tools, "postgres", assertions={})
    server.stop()
    assert {one.name: one.ok for one in (*online, check_offline(server, history.tools))} == {
        "amcheck": True,
        "visibility": True,
        "rows": True,
        "checksums": True,
    }, (major, online)


@pytest.mark.majors
def test_wal_that_is_needed_up_to_the_first_record_of_a_segment_is_whole_unless_that_record_is_not(
    history: History, side: Side
) -> None:
    history.sql("CREATE TABLE first (n int)")
    with history.connect() as connection, connection.transaction():
        connection.execute("INSERT INTO first VALUES (1)")
        connection.execute("SELECT pg_switch_wal()")  # and so the commit is the next segment's first record
    cut, wal = cut_of(wish_from(None, now=now()), history.wal(), history.tools, lambda _: TableFiles()), history.wal()
    assert cut.kept is not None
    lsn = cut.kept.lsn

    require_whole(wal, lsn, history.tools, size=SEGMENT_BYTES)
    side.restore(cut)
    assert side.values("SELECT n FROM first") == [1]

    with (wal.folder / segment_name(wal.timeline, lsn)).open("r+b") as segment:
        segment.seek(lsn % SEGMENT_BYTES)
        segment.write(bytes(24))
    with pytest.raises(WalDamaged):
        require_whole(wal, lsn, history.tools, size=SEGMENT_BYTES)
