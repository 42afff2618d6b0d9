"""What the server really does, seen on a copy of the schema."""

import pytest

from pgkeel.migrations import Options, Source, status, up
from pgkeel.migrations.clone import read_original
from pgkeel.migrations.dump import Dumper
from pgkeel.migrations.impact.preview import Preview, rehearse
from pgkeel.migrations.impact.text import preview_data, preview_text
from pgkeel.migrations.scratch import Scratch
from pgkeel.postgres import Connection
from tests.migrations.folders import Write
from tests.migrations.impact.test_preview import DOWN, shown

EVERYTHING = """-- Up Migration
BEGIN;
ALTER TABLE users ALTER COLUMN name TYPE text;
ALTER TABLE users ALTER COLUMN age TYPE bigint;
ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (buyer) REFERENCES users (id);
COMMIT;
BEGIN;
CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE mine (id int PRIMARY KEY REFERENCES users);
DO $$ DECLARE t text := 'orders'; BEGIN EXECUTE format('ALTER TABLE %I ADD COLUMN q int', t); END $$;
COMMIT;
CREATE INDEX CONCURRENTLY by_age ON users (age);
REINDEX INDEX CONCURRENTLY by_age;
DROP INDEX CONCURRENTLY by_age;
ALTER TABLE days DETACH PARTITION days_1 CONCURRENTLY;
VACUUM FULL orders;
VACUUM users;
CLUSTER orders USING orders_pkey;
"""
SEEN = [
    [
        {"users": "ACCESS EXCLUSIVE"},
        {"users": "SHARE (R)"},
        {"orders": "SHARE ROW EXCLUSIVE (S)", "users": "SHARE ROW EXCLUSIVE"},
    ],
    [
        {"days": "ACCESS EXCLUSIVE", "days_2": "ACCESS EXCLUSIVE"},
        {"mine": "ACCESS EXCLUSIVE", "users": "SHARE ROW EXCLUSIVE"},
        {"orders": "ACCESS EXCLUSIVE"},
    ],
    [{"users": "SHARE UPDATE EXCLUSIVE (S)"}],
    [{"users": "SHARE UPDATE EXCLUSIVE (S)"}],
    [{"users": "SHARE UPDATE EXCLUSIVE"}],
    [{"days": "SHARE UPDATE EXCLUSIVE", "days_1": "ACCESS EXCLUSIVE"}],
    [{"orders": "ACCESS EXCLUSIVE (R)"}],
    [{"users": "SHARE UPDATE EXCLUSIVE"}],
    [{"orders": "ACCESS EXCLUSIVE (R)"}],
]


def traced(connection: Connection, sources: list[Source], pg_dump: Dumper, scratch: Scratch) -> Preview:
    return rehearse(connection, sources, Options(), original=read_original(connection, pg_dump), scratch=scratch)


@pytest.mark.majors
def test_the_locks_rewrites_and_reads_of_every_kind_of_unit_are_seen(
    connection: Connection, shop: Source, write: Write, pg_dump: Dumper, scratch: Scratch
) -> None:
    write("20240102000000_next", EVERYTHING + DOWN)

    found = traced(connection, [shop], pg_dump, scratch)

    assert found.failure is None
    assert [[own(shown(one)) for one in unit.statements] for unit in found.migrations[0].units] == SEEN
    assert [(table.table, table.holds_off) for table in found.stops][:1] == [("users", "reads and writes")]
    said = [text for unit in found.migrations[0].units for one in unit.statements for text in one.disagreements]
    assert said == ["orders: no lock expected, ACCESS EXCLUSIVE taken"]  # the text of EXECUTE is known only when it runs
    assert connection.execute("SELECT to_regclass('mine') AS there").fetchone() == {"there": None}
    assert [state.state for state in status(connection, [shop]).migrations] == ["applied", "pending"]


def own(tables: dict[str, str]) -> dict[str, str]:
    """Leave out what only an earlier statement of the transaction locks."""
    return {table: mode for table, mode in tables.items() if mode and not mode.startswith("(")}


def test_an_alarm_that_the_text_gives_and_the_server_does_not_is_shown(
    connection: Connection, shop: Source, write: Write, pg_dump: Dumper, scratch: Scratch
) -> None:
    connection.execute("CREATE DOMAIN years AS int")
    write("20240102000000_next", f"-- Up Migration\nALTER TABLE users ALTER COLUMN age TYPE years;\n{DOWN}")

    found = traced(connection, [shop], pg_dump, scratch)

    statement = found.migrations[0].units[0].statements[0]
    assert statement.disagreements == ("users: a rewrite expected, none seen",)
    assert found.stops == ()
    assert "≠ users: a rewrite expected, none seen" in preview_text(found)


def test_what_the_audit_of_a_change_reads_is_no_surprise(
    connection: Connection, shop: Source, write: Write, pg_dump: Dumper, scratch: Scratch
) -> None:
    connection.execute("""
        CREATE SCHEMA audit;
        CREATE TABLE audit.kept (a int);
        CREATE FUNCTION audit.note() RETURNS event_trigger LANGUAGE plpgsql
            AS $$ BEGIN PERFORM FROM audit.kept; PERFORM FROM public.orders; END $$;
        CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION audit.note();
    """)
    write("20240102000000_next", f"-- Up Migration\nALTER TABLE users ADD COLUMN q int;\n{DOWN}")

    found = traced(connection, [shop], pg_dump, scratch)

    statement = found.migrations[0].units[0].statements[0]
    assert statement.disagreements == ("orders: every row is read, unexpectedly",)


def test_a_statement_that_fails_on_the_copy_is_told_with_its_place_and_what_follows_is_not_reached(
    connection: Connection, shop: Source, write: Write, pg_dump: Dumper, scratch: Scratch
) -> None:
    text = "CREATE TABLE a (x int);\nALTER TABLE nowhere ADD COLUMN y int;\nCREATE TABLE b (x int);\n"
    write("20240102000000_next", f"-- Up Migration\n{text}{DOWN}")

    found = traced(connection, [shop], pg_dump, scratch)

    assert found.failure is not None
    assert "20240102000000_next.sql:3:1: relation" in found.failure.message
    notes = [statement.note for statement in found.migrations[0].units[0].statements]
    assert notes == ["", "it was not reached", "it was not reached"]
    assert preview_data(found)["failure"]["code"] == "migration_failed"


def test_a_deferred_constraint_speaks_at_commit(
    connection: Connection, shop: Source, write: Write, pg_dump: Dumper, scratch: Scratch
) -> None:
    text = "CREATE TABLE a (x int PRIMARY KEY);\nCREATE TABLE b (x int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\n"
    write("20240102000000_next", f"-- Up Migration\nBEGIN;\n{text}INSERT INTO b VALUES (1);\nCOMMIT;\n{DOWN}")

    found = traced(connection, [shop], pg_dump, scratch)

    assert found.failure is not None
    assert "foreign key" in found.failure.message


def test_what_reaches_beyond_the_database_is_not_run(
    connection: Connection, app: Source, write: Write, pg_dump: Dumper, scratch: Scratch
) -> None:
    publisher = "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p"
    write("20240102000000_next", f"-- Up Migration\n{publisher};\nALTER SYSTEM SET work_mem = '5MB';\n{DOWN}")

    found = traced(connection, [app], pg_dump, scratch)

    assert found.failure is None
    notes = {one.note for unit in found.migrations[0].units for one in unit.statements}
    assert notes == {"it was not run here: it reaches beyond the database"}


def test_a_migration_that_commits_by_itself_runs_unseen(
    connection: Connection, shop: Source, write: Write, pg_dump: Dumper, scratch: Scratch
) -> None:
    text = "DO $$ BEGIN CREATE TABLE a (x int); COMMIT; CREATE TABLE b (x int); END $$;\nCREATE TABLE c (x int);\n"
    write("20240102000000_next", f"-- Up Migration transaction=none\n{text}{DOWN}")

    found = traced(connection, [shop], pg_dump, scratch)

    first, second = (unit.statements[0] for unit in found.migrations[0].units)
    assert (first.is_complete, second.is_complete) == (False, True)
    assert shown(second) == {"c": "ACCESS EXCLUSIVE"}


def test_the_copy_has_the_originals_owners_and_roles(
    connection: Connection, app: Source, write: Write, pg_dump: Dumper, scratch: Scratch
) -> None:
    connection.execute("CREATE ROLE traced_owner; CREATE ROLE traced_other")
    try:
        connection.execute("GRANT CREATE ON SCHEMA public TO traced_owner")
        connection.execute("CREATE TABLE theirs (x int); ALTER TABLE theirs OWNER TO traced_other")
        connection.execute("CREATE SCHEMA pgkeel AUTHORIZATION traced_owner")
        connection.execute("SET ROLE traced_owner")
        write("20240101000000_mine", f"-- Up Migration\nCREATE TABLE mine (x int);\n{DOWN}")
        up(connection, [app])
        write("20240102000000_theirs", f"-- Up Migration\nALTER TABLE theirs ADD COLUMN y int;\n{DOWN}")

        found = traced(connection, [app], pg_dump, scratch)

        assert found.failure is not None
        assert "must be owner of table theirs" in found.failure.message
    finally:
        connection.execute("RESET ROLE; DROP OWNED BY traced_owner, traced_other CASCADE")
        connection.execute("DROP ROLE traced_owner, traced_other")
