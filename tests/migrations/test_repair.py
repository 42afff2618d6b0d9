"""After crashes, hands and merges: repair, mark and rebase."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from pgkeel.core.errors import NotFound, UsageError
from pgkeel.migrations import Options, Source, backfill, down, ledger, status, up
from pgkeel.migrations.errors import MigrationFailed, OutOfOrder
from pgkeel.migrations.mark import mark
from pgkeel.migrations.rebase import rebase
from pgkeel.migrations.repair import repair
from pgkeel.postgres import Connection
from pgkeel.postgres.catalog import snapshot
from tests.migrations.folders import Tables, Write

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TABLE = "-- Up Migration\nBEGIN;\nCREATE TABLE {0} (id int PRIMARY KEY, n int);\nCOMMIT;\n-- Down Migration\nDROP TABLE {0};\n"
INDEX = "-- Up Migration\nCREATE UNIQUE INDEX CONCURRENTLY a_n ON a (n);\n-- Down Migration\nDROP INDEX a_n;\n"
FILL = TABLE.format("filled") + "-- Backfill Migration table=filled\nUPDATE filled SET n = 1 WHERE id > :lo AND id <= :hi;\n"
Fixture = Callable[[], None]


def events(connection: Connection) -> list[str]:
    rows = connection.execute("SELECT event FROM pgkeel.migration_log WHERE event <> 'fingerprint' ORDER BY id").fetchall()
    return [row["event"] for row in rows]


def invalid(connection: Connection) -> int:
    return connection.execute("SELECT FROM pg_index WHERE NOT indisvalid").rowcount


@pytest.fixture
def broken_index(connection: Connection, app: Source, write: Write) -> None:
    """A unique index, INVALID because two rows were equal when it was built."""
    write("20240101000000_a", TABLE.format("a"))
    up(connection, [app])
    connection.execute("INSERT INTO a VALUES (1, 1), (2, 1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("CREATE UNIQUE INDEX CONCURRENTLY a_n ON a (n)")


@pytest.mark.majors
def test_an_invalid_index_is_built_anew_and_what_a_stopped_reindex_left_is_dropped(
    connection: Connection, app: Source, broken_index: None
) -> None:
    with pytest.raises(MigrationFailed, match="a_n cannot be rebuilt"):
        repair(connection, [app])
    assert invalid(connection) == 2
    connection.execute("DELETE FROM a WHERE id = 2")

    planned = repair(connection, [app], options=Options(dry_run=True))
    done = repair(connection, [app])

    assert [one.kind for one in planned.repairs] == ["leftover_index", "invalid_index"]
    assert (done.repairs, done.by_hand) == (planned.repairs, ())
    assert invalid(connection) == 0
    assert repair(connection, [app]).repairs == ()


def test_an_attempt_whose_file_is_gone_is_cleared_away(
    connection: Connection, app: Source, write: Write, broken_index: None
) -> None:
    connection.execute("DROP INDEX a_n")
    path = write("20240102000000_index", INDEX)
    with pytest.raises(MigrationFailed):
        up(connection, [app])
    path.unlink()

    done = repair(connection, [app], options=Options(search_path=("nowhere",)))

    assert [one.kind for one in done.repairs] == ["lost_attempt"]
    assert invalid(connection) == 0
    assert [version for _, version in ledger.entries(connection)] == ["20240101000000"]
    assert events(connection)[-1] == "repaired"


def test_a_half_done_migration_is_left_to_a_person(connection: Connection, app: Source, write: Write) -> None:
    path = write("20240101000000_a", TABLE.format("a").replace("-- Down", "SELECT 1/0;\n-- Down"))
    with pytest.raises(MigrationFailed):
        up(connection, [app])
    assert [(one.kind, "up` goes on" in one.action) for one in repair(connection, [app]).by_hand] == [("unfinished", True)]
    path.unlink()

    (left,) = repair(connection, [app]).by_hand

    assert "mark 20240101000000 reverted" in left.action


@pytest.mark.majors
def test_the_ledger_follows_a_file_that_was_renamed_and_keeps_its_backfill(
    connection: Connection, app: Source, write: Write
) -> None:
    path = write("20240101000000_filled", FILL)
    up(connection, [app])
    before = snapshot(connection)
    path.rename(app.folder / "20240105000000_a_better_name.sql")

    done = repair(connection, [app])

    assert [one.kind for one in done.repairs] == ["moved_file"]
    assert [(state.version, state.name, state.state) for state in status(connection, [app]).migrations] == [
        ("20240105000000", "a_better_name", "applied")
    ]
    assert [state.version for state in backfill.states(connection)] == ["20240105000000"]
    assert up(connection, [app]).steps == ()
    assert snapshot(connection) == before


def test_an_edited_file_is_accepted_on_purpose_and_the_reason_kept(connection: Connection, app: Source, write: Write) -> None:
    write("20240101000000_a", TABLE.format("a"))
    up(connection, [app])
    write("20240101000000_a", "-- now with a comment\n" + TABLE.format("a"))
    (left,) = repair(connection, [app]).by_hand
    assert "--accept 20240101000000" in left.action

    with pytest.raises(UsageError, match="with a reason"):
        repair(connection, [app], accept=["20240101000000"])
    with pytest.raises(NotFound, match="was not edited"):
        repair(connection, [app], accept=["20240109000000"], reason="why not")
    repair(connection, [app], accept=["20240101000000"], reason="only a comment")

    assert not any(state.is_edited for state in status(connection, [app]).migrations)
    row = connection.execute("SELECT facts FROM pgkeel.migration_log WHERE event = 'reason'").fetchone()
    assert row == {"facts": {"reason": "only a comment"}}


def test_a_migration_done_by_hand_is_marked_and_can_be_reverted(
    connection: Connection, app: Source, write: Write, tables: Tables
) -> None:
    write("20240101000000_filled", FILL)
    connection.execute("CREATE TABLE filled (id int PRIMARY KEY, n int)")

    planned = mark(connection, app, "20240101000000", applied=True, reason="by hand", options=Options(dry_run=True))
    done = mark(connection, app, "20240101000000", applied=True, reason="by hand")
    again = mark(connection, app, "20240101000000", applied=True, reason="by hand")

    assert (planned.before, planned.after, planned.is_changed, planned.dry_run) == ("pending", "applied", True, True)
    assert (done.is_changed, again.is_changed) == (True, False)
    assert [state.status for state in backfill.states(connection)] == ["pending"]
    assert events(connection)[-2:] == ["marked applied", "reason"]
    down(connection, [app])
    assert tables() == set()


def test_a_migration_undone_by_hand_is_pending_again(connection: Connection, app: Source, write: Write) -> None:
    write("20240101000000_a", TABLE.format("a"))
    up(connection, [app])
    connection.execute("DROP TABLE a")

    mark(connection, app, "20240101000000", applied=False, reason="dropped during the incident")

    assert [state.state for state in status(connection, [app]).migrations] == ["pending"]
    assert len(up(connection, [app]).steps) == 1


def test_a_mark_needs_a_reason_and_a_migration(connection: Connection, app: Source, write: Write) -> None:
    write("20240101000000_a", TABLE.format("a"))

    with pytest.raises(UsageError, match="needs its reason"):
        mark(connection, app, "20240101000000", applied=True, reason=" ")
    with pytest.raises(NotFound, match="no migration 20240102000000"):
        mark(connection, app, "20240102000000", applied=True, reason="x")


@pytest.fixture
def merged(connection: Connection, app: Source, write: Write) -> list[str]:
    """One file applied; two older ones of another branch came later, the second of them needs the first one's backfill."""
    write("20240103000000_a", TABLE.format("a"))
    up(connection, [app])
    write("20240101000000_filled", FILL)
    write("20240104000000_later", "-- pgkeel: needs backfill 20240101000000\n" + TABLE.format("later"))
    return ["20240103000000_a.sql", "20261125120000_filled.sql", "20261125120001_later.sql"]


def names(app: Source) -> list[str]:
    return sorted(path.name for path in app.folder.iterdir())


def test_pending_files_are_rebased_behind_the_applied_one_in_their_order(
    connection: Connection, app: Source, merged: list[str]
) -> None:
    with pytest.raises(OutOfOrder, match="is older than"):
        up(connection, [app])
    planned = rebase(connection, app, now=NOW, dry_run=True)
    assert len(names(app)) == 3

    moves = rebase(connection, app, now=NOW)

    assert moves == planned
    assert names(app) == merged
    assert "needs backfill 20261125120000" in (app.folder / merged[2]).read_text()
    assert len(up(connection, [app]).steps) == 2
    assert rebase(connection, app, now=NOW) == ()


@pytest.mark.parametrize("renamed", [0, 1])
def test_a_rebase_that_was_killed_is_simply_made_again(
    renamed: int, connection: Connection, app: Source, merged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []

    def die(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) > renamed:
            raise KeyboardInterrupt
        move(*arguments)

    from pgkeel.migrations import rebase as module

    move = module._move
    monkeypatch.setattr(module, "_move", die)
    with pytest.raises(KeyboardInterrupt):
        rebase(connection, app, now=NOW)
    monkeypatch.setattr(module, "_move", move)

    rebase(connection, app, now=datetime(2027, 1, 1, tzinfo=UTC))

    assert names(app) == merged
