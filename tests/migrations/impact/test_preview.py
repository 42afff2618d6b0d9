"""What `plan` foresees from the text of the statements and the sizes of the tables."""

import psycopg
import pytest

from pgkeel.core.url import Url
from pgkeel.migrations import Options, Source
from pgkeel.migrations.errors import OutOfOrder
from pgkeel.migrations.impact.preview import Preview, StatementPreview, preview
from pgkeel.migrations.impact.text import preview_data, preview_text
from pgkeel.migrations.source import source_of_tenant
from pgkeel.postgres import Connection, connect
from tests.migrations.folders import Write

DOWN = "-- Down Migration\nSELECT 1;\n"
# statement → what it locks: table and mode; (R) rewritten, (S) every row read
FORESEEN = {
    "ALTER TABLE users ADD COLUMN phone text": {"users": "ACCESS EXCLUSIVE"},
    "ALTER TABLE users ADD COLUMN seen timestamptz DEFAULT clock_timestamp()": {"users": "ACCESS EXCLUSIVE (R)"},
    "ALTER TABLE users ALTER COLUMN name TYPE text": {"users": "ACCESS EXCLUSIVE"},
    "ALTER TABLE users ALTER COLUMN age TYPE bigint": {"users": "ACCESS EXCLUSIVE (R)"},
    "ALTER TABLE users ALTER COLUMN age SET NOT NULL": {"users": "ACCESS EXCLUSIVE (S)"},
    "ALTER TABLE users ALTER COLUMN age SET STATISTICS 500": {"users": "SHARE UPDATE EXCLUSIVE"},
    "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0)": {"users": "ACCESS EXCLUSIVE (S)"},
    "ALTER TABLE users ADD CONSTRAINT c CHECK (age > 0) NOT VALID": {"users": "ACCESS EXCLUSIVE"},
    "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (buyer) REFERENCES users (id)": {
        "orders": "SHARE ROW EXCLUSIVE (S)",
        "users": "SHARE ROW EXCLUSIVE",
    },
    "CREATE TABLE mine (id int PRIMARY KEY REFERENCES users)": {"mine": "ACCESS EXCLUSIVE", "users": "SHARE ROW EXCLUSIVE"},
    "CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')": {
        "days": "ACCESS EXCLUSIVE",
        "days_2": "ACCESS EXCLUSIVE",
    },
    "CREATE INDEX i ON users (age)": {"users": "SHARE (S)"},
    "CREATE INDEX CONCURRENTLY i ON users (age)": {"users": "SHARE UPDATE EXCLUSIVE (S)"},
    "DROP INDEX by_total": {"orders": "ACCESS EXCLUSIVE"},
    "DROP INDEX CONCURRENTLY by_total": {"orders": "SHARE UPDATE EXCLUSIVE"},
    "REINDEX TABLE orders": {"orders": "SHARE (S)"},
    "CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()": {
        "users": "SHARE ROW EXCLUSIVE"
    },
    "ALTER TABLE days DETACH PARTITION days_1 CONCURRENTLY": {"days": "SHARE UPDATE EXCLUSIVE", "days_1": "ACCESS EXCLUSIVE"},
    "TRUNCATE orders": {"orders": "ACCESS EXCLUSIVE (R)"},
    "VACUUM FULL users": {"users": "ACCESS EXCLUSIVE (R)"},
    "LOCK TABLE users IN EXCLUSIVE MODE": {"users": "EXCLUSIVE"},
    "COMMENT ON COLUMN users.age IS 'in years'": {"users": "SHARE UPDATE EXCLUSIVE"},
    "CREATE VIEW v AS SELECT * FROM users": {"users": "ACCESS SHARE"},
    "UPDATE orders SET total = 0 WHERE id = 1": {"orders": "ROW EXCLUSIVE"},
    "DO $$ BEGIN EXECUTE 'ALTER TABLE ' || 'orders' || ' ADD COLUMN q int'; END $$": {"orders": "ACCESS EXCLUSIVE"},
}


def only(found: Preview) -> StatementPreview:
    return found.migrations[0].units[0].statements[0]


def shown(statement: StatementPreview) -> dict[str, str]:
    work = {table.table: "(R)" if table.is_rewritten else "(S)" if table.is_scanned else "" for table in statement.tables}
    return {table.table: f"{table.mode} {work[table.table]}".strip() for table in statement.tables}


def test_locks_rewrites_and_reads_are_foreseen(connection: Connection, shop: Source, write: Write) -> None:
    for text, wanted in FORESEEN.items():
        write("20240102000000_next", f"-- Up Migration\n{text};\n{DOWN}")
        assert (text, shown(only(preview(connection, [shop], Options())))) == (text, wanted)


def test_a_large_table_that_is_worked_on_behind_its_lock_stops_others_and_a_small_one_does_not(
    connection: Connection, shop: Source, write: Write
) -> None:
    text = (
        "BEGIN;\nALTER TABLE users ALTER COLUMN age TYPE bigint;\nALTER TABLE orders ALTER COLUMN total TYPE bigint;\nCOMMIT;\n"
    )
    write("20240102000000_next", f"-- Up Migration\n{text}{DOWN}")

    large, small = preview(connection, [shop], Options()).migrations[0].units[0].statements

    assert [(table.table, table.weight, table.holds_off) for table in large.tables] == [("users", "stops", "reads and writes")]
    assert [(table.table, table.weight) for table in small.tables] == [("orders", "queues")]
    assert "12,000 rows" in large.tables[0].message
    assert "written anew: about 1s at 100MiB/s" in large.tables[0].message


def test_a_lock_lasts_until_the_transaction_ends(connection: Connection, shop: Source, write: Write) -> None:
    text = "ALTER TABLE orders ADD COLUMN x int;\nALTER TABLE users ADD CONSTRAINT c CHECK (age > 0);\n"
    write("20240102000000_next", f"-- Up Migration\nBEGIN;\n{text}COMMIT;\n{DOWN}")

    last = preview(connection, [shop], Options()).migrations[0].units[0].statements[1]

    assert {table.table: (table.weight, table.mode) for table in last.tables} == {
        "users": ("stops", "ACCESS EXCLUSIVE"),
        "orders": ("stops", ""),
    }
    assert "others are worked on" in next(table.message for table in last.tables if table.table == "orders")


def test_a_validated_check_spares_the_read(connection: Connection, shop: Source, write: Write) -> None:
    text = "BEGIN;\nALTER TABLE users ADD CONSTRAINT c CHECK (age IS NOT NULL) NOT VALID;\nCOMMIT;\n"
    text += "BEGIN;\nALTER TABLE users VALIDATE CONSTRAINT c;\nCOMMIT;\n"
    text += "BEGIN;\nALTER TABLE users ALTER COLUMN age SET NOT NULL;\nCOMMIT;\n"
    write("20240102000000_next", f"-- Up Migration\n{text}{DOWN}")

    found = preview(connection, [shop], Options())

    assert [shown(unit.statements[0]) for unit in found.migrations[0].units] == [
        {"users": "ACCESS EXCLUSIVE"},
        {"users": "SHARE UPDATE EXCLUSIVE (S)"},
        {"users": "ACCESS EXCLUSIVE"},
    ]
    assert found.stops == ()


def test_waits_backfills_and_the_oldest_transaction_are_told(
    connection: Connection, empty_db: Url, shop: Source, write: Write
) -> None:
    backfill = "-- Backfill Migration table=users key=id batch=500\nUPDATE users SET age = 1 WHERE id > :lo AND id <= :hi;\n"
    text = "-- Up Migration lock_timeout=50ms deadline=1m\nALTER TABLE users ADD COLUMN x int;\n"
    text += "CREATE INDEX CONCURRENTLY i ON users (age);\n"
    write("20240102000000_next", f"{text}{DOWN}{backfill}")
    with connect(empty_db, application="a slow report") as other, other.transaction():
        other.execute("SELECT count(*) FROM users")
        found = preview(connection, [shop], Options())

    migration = found.migrations[0]
    assert [(unit.is_atomic, unit.lock_timeout_s, unit.deadline_s) for unit in migration.units] == [
        (True, 0.05, 60.0),
        (False, None, 60.0),
    ]
    assert "at most 50ms a try, tries for 1m" in migration.units[0].waits
    assert "a slow report" in migration.units[1].waits
    assert [(one.table, one.rows, one.batch) for one in migration.backfills] == [("users", 12000, "500")]
    text = preview_text(found)
    assert "then the backfill of users, 12,000 rows: pgkeel migrate backfill run 20240102000000" in text
    assert text.endswith("1 pending")


def test_what_cannot_be_read_is_said_to_be_unknown(connection: Connection, shop: Source, write: Write) -> None:
    write("20240102000000_next", f"-- Up Migration\nDO $$ DECLARE t text := 'x'; BEGIN EXECUTE t; END $$;\n{DOWN}")

    found = only(preview(connection, [shop], Options()))

    assert not found.is_complete
    assert "migrate trace" in found.note


def test_without_the_parser_units_and_waits_are_still_planned(
    connection: Connection, shop: Source, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pgkeel.core.errors import NotFound
    from pgkeel.migrations.impact import static

    def missing(_: str) -> None:
        raise NotFound("the SQL parser is not installed", hint="pip install 'pgkeel[lint]'")

    monkeypatch.setattr(static, "parse", missing)
    write("20240102000000_next", f"-- Up Migration\nALTER TABLE users ADD COLUMN x int;\n{DOWN}")

    found = preview(connection, [shop], Options())

    assert (only(found).is_complete, only(found).tables) == (False, ())
    assert "pgkeel[lint]" in found.notes[0]


def test_what_up_would_refuse_plan_refuses_too(connection: Connection, shop: Source, write: Write) -> None:
    write("20230101000000_older", f"-- Up Migration\nSELECT 1;\n{DOWN}")

    with pytest.raises(OutOfOrder):
        preview(connection, [shop], Options())
    assert preview_data(preview(connection, [shop], Options(allow_out_of_order=True)))["pending"] == 1


def test_an_interrupted_migration_is_planned_from_where_it_stopped(connection: Connection, shop: Source, write: Write) -> None:
    from pgkeel.migrations import up
    from pgkeel.migrations.errors import MigrationFailed

    text = "BEGIN;\nCREATE TABLE a (x int);\nCOMMIT;\nBEGIN;\nCREATE TABLE b (x nosuchtype);\nCOMMIT;\n"
    write("20240102000000_two", f"-- Up Migration\n{text}{DOWN}")
    with pytest.raises(MigrationFailed):
        up(connection, [shop])

    migration = preview(connection, [shop], Options()).migrations[0]

    assert (migration.done, [unit.number for unit in migration.units]) == (1, [2])


def test_in_a_tenants_schema_its_own_tables_are_weighed(connection: Connection, shop: Source, write: Write) -> None:
    connection.execute("CREATE SCHEMA acme; ALTER TABLE users SET SCHEMA acme; CREATE TABLE users (id int)")
    (shop.folder / "20240101000000_shop.sql").unlink()
    write("20240102000000_next", f"-- Up Migration\nALTER TABLE users ALTER COLUMN age TYPE bigint;\n{DOWN}")

    found = preview(connection, [source_of_tenant(shop, "acme")], Options(search_path=("acme",)))

    assert [(table.table, table.rows, table.weight) for table in only(found).tables] == [("users", 12000, "stops")]
    assert found.migrations[0].source == "app@acme"


def test_a_plan_writes_nothing_and_waits_for_nobody(connection: Connection, empty_db: Url, app: Source, write: Write) -> None:
    write("20240102000000_next", f"-- Up Migration\nCREATE TABLE x (a int);\n{DOWN}")
    with connect(empty_db) as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(b"pgkeel")])
        connection.execute("SET default_transaction_read_only = on")

        assert len(preview(connection, [app], Options()).migrations) == 1

    with pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT FROM pgkeel.migrations")
