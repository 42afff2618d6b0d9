"""`pgkeel migrate plan|trace|test` as a person and a pipeline use them."""

import json
from pathlib import Path

import pytest

from pgkeel.core.url import Url
from pgkeel.postgres import connect
from tests.projects import Home

FILE = """-- Up Migration
BEGIN;
ALTER TABLE things ADD COLUMN name text;
COMMIT;
CREATE INDEX CONCURRENTLY things_name ON things (name);
-- Down Migration
DROP INDEX CONCURRENTLY things_name;
BEGIN;
ALTER TABLE things DROP COLUMN name;
COMMIT;
"""


@pytest.fixture
def outside(empty_db: Url) -> dict[str, str]:
    """An environment in which the project's database is an empty external one."""
    return {"PGKEEL_DATABASE__URL": "env:THE_URL", "THE_URL": empty_db.reveal()}


@pytest.fixture
def pending(home: Home, outside: dict[str, str]) -> Path:
    """A file that waits behind one that is applied."""
    folder = home.root / "migrations"
    folder.mkdir(exist_ok=True)
    down = "-- Down Migration\nDROP TABLE things;\n"
    (folder / "20240101120000_things.sql").write_text(f"-- Up Migration\nCREATE TABLE things (id int);\n{down}")
    home.ok("migrate", "up", env=outside)
    path = folder / "20240102120000_name.sql"
    path.write_text(FILE)
    return path


def test_plan_shows_what_up_would_do_and_fails_a_check(home: Home, pending: Path, outside: dict[str, str], empty_db: Url) -> None:
    said = home.ok("migrate", "plan", env=outside)
    checked = home.run("migrate", "plan", "--check", "--json", env=outside)

    assert "ACCESS EXCLUSIVE on things (0B, 0 rows); reads and writes queue behind it" in said
    assert "unit 2, alone, outside of a transaction; waits for every transaction that is open" in said
    data = json.loads(checked.stdout)["data"]
    assert (checked.returncode, data["pending"], data["is_traced"]) == (1, 1, False)
    assert data["migrations"][0]["units"][0]["statements"][0]["tables"][0]["mode"] == "ACCESS EXCLUSIVE"
    with connect(empty_db) as connection:
        assert (
            connection.execute("SELECT FROM pg_attribute WHERE attname = 'name' AND attrelid = 'things'::regclass").rowcount == 0
        )


def test_trace_and_test_run_on_a_server_of_their_own(home: Home, pending: Path, outside: dict[str, str], empty_db: Url) -> None:
    traced = home.data("migrate", "trace", env=outside)
    tested = home.data("migrate", "test", env=outside)

    units = traced["migrations"][0]["units"]
    assert [unit["statements"][0]["tables"][0]["mode"] for unit in units] == ["ACCESS EXCLUSIVE", "SHARE UPDATE EXCLUSIVE"]
    assert (traced["is_traced"], traced["failure"], traced["stops"]) == (True, None, 0)
    assert [(one["result"], one["loses"]) for one in tested["migrations"]] == [("ok", ["public.things.name"])]
    with connect(empty_db) as connection:
        assert connection.execute("SELECT FROM pg_database WHERE datname LIKE 'pgkeel_scratch%'").rowcount == 0


def test_every_migration_is_tried_where_no_database_runs(home: Home, pending: Path) -> None:
    away = {"PGKEEL_DATABASE__URL": "env:THE_URL", "THE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}

    pending.write_text(FILE.replace("ALTER TABLE things DROP COLUMN name;\n", ""))

    tested = home.run("migrate", "test", "--all", env=away)

    assert tested.returncode == 1
    assert "ok            app 20240101120000_things" in tested.stdout
    assert "column public.things.name is left behind: text" in tested.stdout
    assert home.error("migrate", "plan", env=away)[:2] == (3, "unreachable")
