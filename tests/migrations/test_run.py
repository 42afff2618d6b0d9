"""Applying and reverting on a real server."""

from pathlib import Path

import psycopg
import pytest

from pgkeel.core.errors import NotFound
from pgkeel.core.url import Url
from pgkeel.migrations import PGKEEL, Options, Source, backfill, down, redo, status, up
from pgkeel.migrations.errors import (
    BackfillMissing,
    BadMigration,
    DataLoss,
    EditedMigration,
    HalfApplied,
    Irreversible,
    MigrationFailed,
    NotOwned,
    OutOfOrder,
    ReadOnlyServer,
)
from pgkeel.postgres import Connection, connect
from tests.migrations.folders import Tables, Write

USERS = "-- Up Migration\nBEGIN;\nCREATE TABLE users (id int PRIMARY KEY);\nCOMMIT;\n\n-- Down Migration\nDROP TABLE users;\n"
PHONE = """-- Up Migration
BEGIN;
ALTER TABLE users ADD COLUMN phone VARCHAR(20);
COMMIT;

-- Down Migration
BEGIN;
ALTER TABLE users DROP COLUMN phone;
COMMIT;
"""
DOWN = "\n-- Down Migration\nSELECT 1;\n"


def has_phone(connection: Connection) -> bool:
    return bool(
        connection.execute(
            "SELECT FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'phone' AND NOT attisdropped"
        ).rowcount
    )


@pytest.mark.majors
def test_the_design_template_goes_up_and_down_unchanged(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_create_users_table", USERS)
    write("20240102120000_add_phone", PHONE)

    up(connection, [app])
    assert has_phone(connection)
    down(connection, [app])
    assert not has_phone(connection)
    assert [state.state for state in status(connection, [app]).migrations] == ["applied", "pending"]


@pytest.mark.majors
def test_our_own_migrations_go_up_down_and_up(connection: Connection) -> None:
    applied = up(connection, [PGKEEL])
    reverted = down(connection, [PGKEEL], Options(allow_data_loss=True), count=len(applied.steps))
    again = up(connection, [PGKEEL])

    assert len(applied.steps) == len(reverted.steps) == len(again.steps) > 0


def test_a_second_run_has_nothing_to_do(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_create_users_table", USERS)

    assert len(up(connection, [app]).steps) == 1
    assert up(connection, [app]).steps == ()


def test_each_source_has_its_own_order(connection: Connection, app: Source, write: Write, tmp_path: Path) -> None:
    write("20250101120000_create_users_table", USERS)
    later = Source("later", tmp_path / "later")
    later.folder.mkdir()
    (later.folder / "20200101120000_other.sql").write_text(USERS.replace("users", "others"))

    up(connection, [app])
    outcome = up(connection, [app, later])

    assert [(step.source, step.version) for step in outcome.steps] == [("later", "20200101120000")]


def test_up_stops_at_the_version_it_is_told(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_create_users_table", USERS)
    write("20240102120000_add_phone", PHONE)

    up(connection, [app], Options(to="20240101120000"))

    assert [state.state for state in status(connection, [app]).migrations] == ["applied", "pending"]
    with pytest.raises(NotFound):
        up(connection, [app], Options(to="20990101120000"))


def test_down_to_a_version_keeps_it_and_down_to_0_keeps_nothing(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_create_users_table", USERS)
    write("20240102120000_add_phone", PHONE)
    up(connection, [app])

    assert [step.version for step in down(connection, [app], Options(to="20240101120000")).steps] == ["20240102120000"]
    assert [step.version for step in down(connection, [app], Options(to="0")).steps] == ["20240101120000"]


def test_a_dry_run_writes_nothing(connection: Connection, app: Source, write: Write, tables: Tables) -> None:
    write("20240101120000_create_users_table", USERS)

    outcome = up(connection, [app], Options(dry_run=True))

    assert "CREATE TABLE users" in outcome.steps[0].sql[0]
    assert tables() == set()
    assert connection.execute("SELECT to_regnamespace('pgkeel') AS there").fetchone() == {"there": None}


def test_redo_reverts_by_the_stored_down_and_applies_the_edited_file(
    connection: Connection, app: Source, write: Write, tables: Tables
) -> None:
    write("20240101120000_create_users_table", USERS)
    up(connection, [app])
    write("20240101120000_create_users_table", USERS.replace("users", "people"))

    with pytest.raises(EditedMigration) as caught:
        up(connection, [app])
    redo(connection, [app])

    assert "redo" in caught.value.hint
    assert tables() == {"people"}


def test_a_dry_run_of_redo_says_what_would_be_reverted_and_applied(
    connection: Connection, app: Source, write: Write, tables: Tables
) -> None:
    write("20240101120000_create_users_table", USERS)
    up(connection, [app])
    write("20240101120000_create_users_table", USERS.replace("users", "people"))

    planned = redo(connection, [app], Options(dry_run=True))

    assert [(step.direction, step.sql) for step in planned.steps] == [
        ("down", ("BEGIN;\nDROP TABLE users;\nCOMMIT;",)),
        ("up", ("BEGIN;\nCREATE TABLE people (id int PRIMARY KEY);\nCOMMIT;",)),
    ]
    assert (planned.dry_run, tables()) == (True, {"users"})


def test_a_redo_that_is_stopped_half_way_is_finished_and_reverts_nothing_more(
    connection: Connection, app: Source, write: Write
) -> None:
    write("20240101120000_create_users_table", USERS)
    write("20240102120000_add_phone", PHONE)
    up(connection, [app])

    def stop(text: str) -> None:
        if text.startswith("reverted"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        redo(connection, [app], report=stop)
    assert not has_phone(connection)
    again = redo(connection, [app])
    whole = redo(connection, [app])

    assert [(step.direction, step.name) for step in again.steps] == [("up", "add_phone")]
    assert [(step.direction, step.name) for step in whole.steps] == [("down", "add_phone"), ("up", "add_phone")]
    assert status(connection, [app]).pending == ()


def test_a_migration_whose_file_is_gone_is_reverted_by_its_stored_down(
    connection: Connection, app: Source, write: Write, tables: Tables
) -> None:
    path = write("20240101120000_create_users_table", USERS)
    up(connection, [app])
    path.unlink()

    assert status(connection, [app]).migrations[0].is_missing
    down(connection, [app])
    assert tables() == set()


def test_a_file_older_than_the_newest_applied_is_refused_until_it_is_allowed(
    connection: Connection, app: Source, write: Write
) -> None:
    write("20240102120000_create_users_table", USERS)
    up(connection, [app])
    write("20240101120000_older", USERS.replace("users", "older"))

    with pytest.raises(OutOfOrder) as caught:
        up(connection, [app])
    outcome = up(connection, [app], Options(allow_out_of_order=True))

    assert "--allow-out-of-order" in caught.value.hint
    assert len(outcome.steps) == 1


@pytest.mark.majors
def test_a_down_that_loses_rows_is_refused_and_says_how_many(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_create_users_table", USERS)
    write("20240102120000_add_phone", PHONE)
    up(connection, [app])
    connection.execute("INSERT INTO users (id, phone) VALUES (1, '1'), (2, NULL), (3, '3')")

    with pytest.raises(DataLoss, match=r"public\.users\.phone \(2 values\)"):
        down(connection, [app])
    with pytest.raises(DataLoss, match=r"public\.users \(3 rows\)"):
        down(connection, [app], count=2)
    assert has_phone(connection)
    down(connection, [app], Options(allow_data_loss=True))
    assert not has_phone(connection)


def test_a_loss_is_seen_through_cascades_and_do_blocks(connection: Connection, app: Source, write: Write) -> None:
    hidden = "-- Up Migration\nCREATE SCHEMA shop;\nCREATE TABLE shop.orders (id int);\n"
    write("20240101120000_shop", f"{hidden}\n-- Down Migration\nDO $$ BEGIN EXECUTE 'DROP SCHEMA shop CASCADE'; END $$;\n")
    up(connection, [app])
    connection.execute("INSERT INTO shop.orders VALUES (1)")

    with pytest.raises(DataLoss, match=r"shop\.orders \(1 row\)"):
        down(connection, [app])
    assert connection.execute("SELECT FROM shop.orders").rowcount == 1


def test_a_migration_without_a_down_is_not_reverted(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_x", "-- pgkeel: irreversible -- values were merged\n-- Up Migration\nCREATE TABLE x (a int);\n")
    up(connection, [app])

    with pytest.raises(Irreversible, match="values were merged"):
        down(connection, [app])


def test_a_slip_in_the_last_file_stops_the_first(connection: Connection, app: Source, write: Write, tables: Tables) -> None:
    write("20240101120000_create_users_table", USERS)
    write("20240102120000_slip", f"-- Up Migration\nSELECT 1;\n  INSERT INTO users\n  VALEUS (1);\n{DOWN}")

    with pytest.raises(BadMigration, match=r"slip\.sql:4:3: syntax error"):
        up(connection, [app])
    assert tables() == set()


def test_statements_that_need_what_the_run_makes_pass_the_check(connection: Connection, app: Source, write: Write) -> None:
    write(
        "20240101120000_all",
        f"""-- Up Migration
CREATE TABLE t (a int);
INSERT INTO t SELECT 1;
WITH x AS (SELECT 1 AS a) UPDATE t SET a = 2 FROM x;
CREATE TABLE copied AS SELECT * FROM t;
CREATE PROCEDURE p() LANGUAGE sql AS 'DELETE FROM t';
CALL p();
CREATE VIEW v AS SELECT * FROM t;
CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
SELECT a INTO another FROM t;
(SELECT 1);
MERGE INTO t USING copied ON t.a = copied.a WHEN NOT MATCHED THEN INSERT VALUES (copied.a);
{DOWN}""",
    )

    up(connection, [app])


@pytest.mark.majors
def test_the_server_s_error_points_into_the_file(connection: Connection, app: Source, write: Write, tables: Tables) -> None:
    text = "-- Up Migration\nBEGIN;\nCREATE TABLE ä (x int);\nSELECT 'é',\n  nothing FROM ä;\nCOMMIT;\n"
    write("20240101120000_bad", text + DOWN)

    with pytest.raises(MigrationFailed, match=r"20240101120000_bad\.sql:5:3: column .nothing. does not exist") as caught:
        up(connection, [app])
    assert (caught.value.data["line"], caught.value.data["column"], caught.value.data["sqlstate"]) == (5, 3, "42703")
    assert tables() == set()


def test_an_error_without_a_pointer_names_its_statement(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_bad", f"-- Up Migration\nSELECT 1;\nDO $$ BEGIN\n RAISE 'no'; END $$;\nSELECT 2;\n{DOWN}")

    with pytest.raises(MigrationFailed, match=r"_bad\.sql:3:1: no"):
        up(connection, [app])


def test_an_unfinished_migration_goes_on_where_it_stopped_and_its_rest_may_be_corrected(
    connection: Connection, app: Source, write: Write, tables: Tables
) -> None:
    first = "-- Up Migration\nBEGIN;\nCREATE TABLE a (x int);\nCOMMIT;\nBEGIN;\n"
    write("20240101120000_two", f"{first}CREATE TABLE b (x nosuchtype);\nCOMMIT;\n{DOWN}")
    with pytest.raises(MigrationFailed):
        up(connection, [app])
    assert tables() == {"a"}
    with pytest.raises(HalfApplied):
        down(connection, [app])

    write("20240101120000_two", f"{first.replace('CREATE TABLE a', 'CREATE TABLE c')}CREATE TABLE b (x int);\nCOMMIT;\n{DOWN}")
    with pytest.raises(EditedMigration):
        up(connection, [app])
    write("20240101120000_two", f"{first}CREATE TABLE b (x int);\nCOMMIT;\n{DOWN}")
    outcome = up(connection, [app])

    assert outcome.steps[0].units == 1
    assert tables() == {"a", "b"}
    assert status(connection, [app]).pending == ()


def test_an_unfinished_down_is_finished_by_up_which_then_applies(
    connection: Connection, app: Source, write: Write, tables: Tables
) -> None:
    up_part = "-- Up Migration\nCREATE TABLE a (x int); CREATE TABLE b (x int);\n"
    write("20240101120000_two", up_part + "-- Down Migration\nBEGIN; DROP TABLE a; COMMIT;\nBEGIN; DROP TABLE b; COMMIT;\n")
    up(connection, [app])
    connection.execute("CREATE VIEW v AS SELECT * FROM b")

    with pytest.raises(MigrationFailed, match="view v depends on table b"):
        down(connection, [app], Options(allow_data_loss=True))
    assert tables() == {"b"}
    connection.execute("DROP VIEW v")
    outcome = up(connection, [app])

    assert [step.direction for step in outcome.steps] == ["down", "up"]
    assert tables() == {"a", "b"}


def test_a_table_that_no_migration_made_is_never_adopted(connection: Connection, app: Source, write: Write) -> None:
    connection.execute('CREATE TABLE "users" (mine int)')
    write("20240101120000_create_users_table", USERS.replace("TABLE users", "TABLE IF NOT EXISTS Users", 1))

    with pytest.raises(NotOwned, match=r":3:1: the table .users. is there already"):
        up(connection, [app])
    assert status(connection, [app]).applied == ()


def test_a_table_that_a_migration_drops_or_made_may_be_made_again(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_create_users_table", USERS)
    up(connection, [app])
    write("20240102120000_again", f"-- Up Migration\nDROP TABLE users;\nCREATE TABLE users (id text);\n{DOWN}")

    assert len(up(connection, [app]).steps) == 1


def test_backfills_wait_in_the_ledger_and_hold_back_what_needs_them(connection: Connection, app: Source, write: Write) -> None:
    backfill = "-- Backfill Migration table=users key=id batch=500\nUPDATE users SET phone = '' WHERE id > :lo AND id <= :hi;\n"
    write("20240101120000_create_users_table", USERS)
    up(connection, [app])
    connection.execute("INSERT INTO users VALUES (1)")
    write("20240102120000_add_phone", PHONE + backfill)
    up(connection, [app])
    write("20240103120000_strict", f"-- pgkeel: needs backfill 20240102120000\n-- Up Migration\nSELECT 1;\n{DOWN}")

    with pytest.raises(BackfillMissing):
        up(connection, [app])
    row = connection.execute("SELECT number, options->>'batch' AS batch, status FROM pgkeel.backfills").fetchone()
    assert row == {"number": 1, "batch": "500", "status": "pending"}
    connection.execute("UPDATE pgkeel.backfills SET status = 'finished', finished_at = now()")
    assert len(up(connection, [app]).steps) == 1


def test_a_run_stops_before_what_needs_a_backfill_that_it_has_only_just_announced(
    connection: Connection, app: Source, write: Write
) -> None:
    write("20240101120000_create_users_table", USERS)
    up(connection, [app])
    connection.execute("INSERT INTO users VALUES (1)")
    section = "-- Backfill Migration table=users key=id\nUPDATE users SET phone = '' WHERE id > :lo AND id <= :hi;\n"
    write("20240102120000_add_phone", PHONE + section)
    write("20240103120000_strict", f"-- pgkeel: needs backfill 20240102120000\n-- Up Migration\nSELECT 1;\n{DOWN}")

    with pytest.raises(BackfillMissing, match="20240103120000_strict"):
        up(connection, [app])
    assert [state.state for state in status(connection, [app]).migrations] == ["applied", "applied", "pending"]
    backfill.run(connection)
    assert len(up(connection, [app]).steps) == 1


def test_in_an_empty_table_there_is_nothing_to_fill_and_a_run_goes_through(
    connection: Connection, app: Source, write: Write
) -> None:
    section = "-- Backfill Migration table=users key=id\nUPDATE users SET phone = '' WHERE id > :lo AND id <= :hi;\n"
    write("20240101120000_create_users_table", USERS)
    write("20240102120000_add_phone", PHONE + section)
    write("20240103120000_strict", f"-- pgkeel: needs backfill 20240102120000\n-- Up Migration\nSELECT 1;\n{DOWN}")

    assert len(up(connection, [app]).steps) == 3
    assert connection.execute("SELECT status FROM pgkeel.backfills").fetchone() == {"status": "finished"}


def test_what_a_database_sets_for_its_sessions_does_not_reach_a_migration(
    connection: Connection, empty_db: Url, app: Source, write: Write, tables: Tables
) -> None:
    connection.execute("CREATE SCHEMA elsewhere")
    for setting in ("search_path = elsewhere", "timezone = 'Asia/Tokyo'", "lock_timeout = '7s'"):
        connection.execute(f"ALTER DATABASE {empty_db.database} SET {setting}".encode())
    shown = "SELECT '2024-01-01'::timestamptz AS noon, current_setting('lock_timeout') AS patience"
    write("20240101120000_x", f"-- Up Migration\nCREATE TABLE here AS {shown};\n{DOWN}")

    with connect(empty_db) as fresh:
        up(fresh, [app])

    assert tables() == {"here"}
    row = connection.execute("SELECT extract(epoch FROM noon)::int AS noon, patience FROM public.here").fetchone()
    assert row == {"noon": 1704067200, "patience": "100ms"}


def test_units_share_one_wait_for_the_disk_unless_their_file_says_otherwise(
    connection: Connection, app: Source, write: Write
) -> None:
    shown = "current_setting('synchronous_commit') AS waits"
    write("20240101120000_quick", f"-- Up Migration\nCREATE TABLE quick AS SELECT {shown};\n{DOWN}")
    careful = f"BEGIN;\nSET LOCAL synchronous_commit = on;\nCREATE TABLE careful AS SELECT {shown};\nCOMMIT;\n"
    write("20240102120000_careful", f"-- Up Migration\n{careful}{DOWN}")

    up(connection, [app])

    assert connection.execute("SELECT waits FROM quick").fetchone() == {"waits": "off"}
    assert connection.execute("SELECT waits FROM careful").fetchone() == {"waits": "on"}
    assert connection.execute("SHOW synchronous_commit").fetchone() == {"synchronous_commit": "on"}


def test_a_read_only_server_is_refused_with_a_way_out(connection: Connection, empty_db: Url, app: Source, write: Write) -> None:
    write("20240101120000_create_users_table", USERS)
    connection.execute(f"ALTER DATABASE {empty_db.database} SET default_transaction_read_only = on".encode())

    with connect(empty_db) as fresh, pytest.raises(ReadOnlyServer, match="this session is read-only") as caught:
        up(fresh, [app])
    assert "role" in caught.value.hint


def test_a_file_that_makes_its_transaction_read_only_is_refused(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_x", f"-- Up Migration\nBEGIN READ ONLY;\nCREATE TABLE x (a int);\nCOMMIT;\n{DOWN}")

    with pytest.raises(BadMigration, match=r"_x\.sql:2:1: a read-only transaction cannot hold the ledger's row"):
        up(connection, [app])


def test_what_a_file_sets_does_not_reach_the_next_file_or_the_caller(
    connection: Connection, app: Source, write: Write, tables: Tables
) -> None:
    write(
        "20240101120000_a",
        "-- Up Migration\nCREATE SCHEMA s;\nSET search_path = s;\nSET timezone = 'Asia/Tokyo';\n"
        f"SET ROLE pg_read_all_data;\n{DOWN}",
    )
    write(
        "20240102120000_b",
        f"-- Up Migration\nCREATE TABLE here AS SELECT current_setting('timezone') AS zone, current_user AS me;\n{DOWN}",
    )

    up(connection, [app])

    assert tables() == {"here"}
    row = connection.execute(
        "SELECT zone, me <> 'pg_read_all_data' AS is_me, current_setting('timezone') AS mine FROM here"
    ).fetchone()
    assert row == {"zone": "UTC", "is_me": True, "mine": "UTC"}


def test_a_read_only_session_is_refused(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_create_users_table", USERS)
    connection.execute("SET default_transaction_read_only = on")

    with pytest.raises(ReadOnlyServer):
        up(connection, [app])


def test_a_missing_right_is_named(connection: Connection, app: Source, write: Write) -> None:
    write(
        "20240101120000_x", f"-- Up Migration\nBEGIN;\nSET LOCAL ROLE pg_read_all_data;\nCREATE TABLE x (a int);\nCOMMIT;\n{DOWN}"
    )

    with pytest.raises(MigrationFailed, match=r"_x\.sql:4:14: permission denied for schema public") as caught:
        up(connection, [app])
    assert "right" in caught.value.hint


def test_the_log_only_grows(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_create_users_table", USERS)
    up(connection, [app])
    down(connection, [app])

    events = [row["event"] for row in connection.execute("SELECT event FROM pgkeel.migration_log ORDER BY id").fetchall()]
    assert events == ["applied", "fingerprint", "reverted", "fingerprint"]
    for change in (
        "DELETE FROM pgkeel.migration_log",
        "UPDATE pgkeel.migration_log SET unit = 9",
        "TRUNCATE pgkeel.migration_log",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(change.encode())


def test_a_login_that_may_not_make_the_ledger_is_told_what_to_grant(connection: Connection, app: Source, write: Write) -> None:
    write("20240101120000_create_users_table", USERS)
    connection.execute("SET ROLE pg_read_all_data")

    with pytest.raises(MigrationFailed, match="the ledger cannot be made") as caught:
        up(connection, [app])
    assert "CREATE" in caught.value.hint
