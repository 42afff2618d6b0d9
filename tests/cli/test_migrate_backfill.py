"""`pgkeel migrate backfill` as a person and a script use it."""

import json

import pytest

from pgkeel.core.url import Url
from tests.projects import Home

FILE = """-- Up Migration
CREATE TABLE people (id int PRIMARY KEY, name text, upper text);
INSERT INTO people SELECT g, 'n' || g FROM generate_series(1, 500) AS g;
-- Down Migration
DROP TABLE people;
-- Backfill Migration table=people
UPDATE people SET upper = upper(name) WHERE id > :lo AND id <= :hi;
-- Backfill Migration table=people code=shop:fill
"""
CODE = """def fill(connection, lo, hi):
    return connection.execute("UPDATE people SET name = NULL WHERE id > %s AND id <= %s", [lo, hi]).rowcount
"""


@pytest.fixture
def outside(home: Home, empty_db: Url) -> dict[str, str]:
    """A project on an external database with one applied migration that has two backfills."""
    environment = {"PGKEEL_DATABASE__URL": "env:THE_URL", "THE_URL": empty_db.reveal()}
    (home.root / "migrations").mkdir()
    (home.root / "migrations" / "20240101000000_people.sql").write_text(FILE)
    (home.root / "shop.py").write_text(CODE)
    home.ok("migrate", "up", env=environment)
    return environment


def test_run_status_and_pause_answer_in_json(home: Home, outside: dict[str, str]) -> None:
    planned = home.run("migrate", "backfill", "run", "--dry-run", "--json", env=outside)
    paused = home.data("migrate", "backfill", "pause", env=outside)
    left_alone = home.run("migrate", "backfill", "run", "--json", env=outside)
    done = home.data("migrate", "backfill", "run", "20240101000000", env=outside)
    after = home.data("migrate", "backfill", "status", "--check", env=outside)

    assert planned.returncode == left_alone.returncode == 1
    assert [each["status"] for each in json.loads(planned.stdout)["data"]["backfills"]] == ["pending", "pending"]
    assert [each["status"] for each in paused["backfills"]] == ["paused", "paused"]
    assert [(each["status"], each["rows_done"], each["share"]) for each in done["backfills"]] == [("finished", 500, 1.0)] * 2
    assert after == done


def test_a_version_without_a_backfill_exits_2(home: Home, outside: dict[str, str]) -> None:
    code, name, text = home.error("migrate", "backfill", "run", "20200101000000", env=outside)

    assert (code, name) == (2, "not_found")
    assert "backfill status" in text


def test_a_dry_pause_says_what_would_stop_and_stops_nothing(home: Home, outside: dict[str, str]) -> None:
    planned = home.data("migrate", "backfill", "pause", "--dry-run", env=outside)
    home.ok("migrate", "backfill", "run", env=outside)
    nothing = home.data("migrate", "backfill", "pause", "--dry-run", env=outside)

    assert (planned["dry_run"], [each["status"] for each in planned["backfills"]]) == (True, ["pending", "pending"])
    assert nothing["backfills"] == []


def test_each_tenants_backfill_runs_by_itself(home: Home, outside: dict[str, str]) -> None:
    listed = home.root / "targets.toml"
    listed.write_text("url = 'env:THE_URL'\n[[target]]\nschema = 'acme'\n[[target]]\nschema = 'bolt'\n")
    home.ok("migrate", "up", "--targets", str(listed), env=outside)
    listed.write_text("url = 'env:THE_URL'\n[[target]]\nschema = 'acme'\n")

    done = home.data("migrate", "backfill", "run", "--targets", str(listed), env=outside)
    states = home.run("migrate", "backfill", "status", "--json", env=outside)

    assert [each["status"] for each in done["targets"][0]["data"]["backfills"]] == ["finished", "finished"]
    seen = {(each["source"], each["status"]) for each in json.loads(states.stdout)["data"]["backfills"]}
    assert seen == {("app", "pending"), ("app@acme", "finished"), ("app@bolt", "pending")}
