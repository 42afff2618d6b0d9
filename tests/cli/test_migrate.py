"""`pgkeel migrate` as a person and a script use it."""

import json
from pathlib import Path

import pytest

from pgkeel.core.url import Url
from tests.projects import Home

UP = "-- Up Migration\nBEGIN;\nCREATE TABLE things (id int);\nCOMMIT;\n"
DOWN = "-- Down Migration\nBEGIN;\nDROP TABLE things;\nCOMMIT;\n"


@pytest.fixture
def outside(empty_db: Url) -> dict[str, str]:
    """An environment in which the project's database is an empty external one."""
    return {"PGKEEL_DATABASE__URL": "env:THE_URL", "THE_URL": empty_db.reveal()}


@pytest.fixture
def written(home: Home) -> Path:
    folder = home.root / "migrations"
    folder.mkdir(exist_ok=True)
    path = folder / "20240101120000_things.sql"
    path.write_text(UP + DOWN)
    return path


def test_a_new_migration_is_the_template(home: Home) -> None:
    path = Path(home.data("migrate", "new", "add phone")["path"])
    other = Path(home.data("migrate", "new", "Größe hinzufügen")["path"])

    assert other.name.endswith("_gro_e_hinzufugen.sql")
    assert path.parent == home.root / "migrations"
    assert path.name.endswith("_add_phone.sql")
    assert path.read_text().splitlines()[:2] == ["-- Up Migration", "BEGIN;"]


def test_up_status_and_down_answer_in_json(home: Home, written: Path, outside: dict[str, str]) -> None:
    before = home.run("migrate", "status", "--check", "--json", env=outside)
    planned = home.data("migrate", "up", "--dry-run", env=outside)
    applied = home.data("migrate", "up", env=outside)
    after = home.data("migrate", "status", "--check", env=outside)
    reverted = home.data("migrate", "down", env=outside)

    assert before.returncode == 1
    assert json.loads(before.stdout)["ok"] is True
    assert planned["dry_run"] is True
    assert "CREATE TABLE things" in "".join(planned["steps"][-1]["sql"])
    assert [step["source"] for step in applied["steps"]][-1] == "app"
    assert after["pending"] == 0
    assert [(step["direction"], step["name"]) for step in reverted["steps"]] == [("down", "things")]


def test_what_is_unsafe_exits_4_and_what_is_wrong_exits_2(home: Home, written: Path, outside: dict[str, str]) -> None:
    home.ok("migrate", "up", env=outside)
    written.write_text(UP.replace("int", "bigint") + DOWN)

    edited = home.error("migrate", "up", env=outside)
    written.write_text(UP + "ROLLBACK;\n" + DOWN)
    broken = home.error("migrate", "up", env=outside)
    unknown = home.error("migrate", "up", "--source", "nobody", env=outside)

    assert edited[:2] == (4, "edited_migration")
    assert broken[:2] == (2, "bad_migration")
    assert "20240101120000_things.sql:5:1: ROLLBACK" in broken[2]
    assert unknown[0] == 2


def test_losing_rows_needs_the_flag(home: Home, written: Path, outside: dict[str, str]) -> None:
    written.write_text(UP.replace("COMMIT", "INSERT INTO things VALUES (1);\nCOMMIT") + DOWN)
    home.ok("migrate", "up", env=outside)

    code, name, text = home.error("migrate", "down", env=outside)

    assert (code, name) == (4, "data_loss")
    assert "public.things (1 row)" in text
    assert home.data("migrate", "redo", "--allow-data-loss", env=outside)["steps"][0]["direction"] == "down"


def test_on_the_embedded_stack_the_owner_owns_what_a_migration_makes(running: Home) -> None:
    folder = running.root / "migrations"
    folder.mkdir(exist_ok=True)
    (folder / "20240101120000_things.sql").write_text(UP + DOWN)
    running.ok("migrate", "up")

    owner = running.ok("psql", "-Atc", "SELECT tableowner FROM pg_tables WHERE tablename IN ('things', 'outbox') ORDER BY 1")
    append = "SELECT pgkeel.outbox_append('mail'), count(*) FROM pgkeel.outbox_drain()"
    drained = running.ok("psql", "--role", "app", "-Atc", append)

    assert set(owner.split()) == {"pgkeel_owner"}
    assert drained.startswith("1|")
    running.ok("migrate", "down")
    (folder / "20240101120000_things.sql").unlink()


def test_where_the_database_cannot_be_asked_status_says_that_nothing_is_known(home: Home, written: Path) -> None:
    away = {"PGKEEL_DATABASE__URL": "env:THE_URL", "THE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}

    done = home.run("migrate", "status", "--source", "app", "--json", env=away)
    error = json.loads(done.stdout)["error"]

    assert (done.returncode, error["code"]) == (3, "unreachable")
    assert error["message"].startswith("it is not known what is applied of 1 migration file: cannot connect to")
    assert [state["state"] for state in error["data"]["migrations"]] == ["unknown"]
    assert (error["data"]["applied"], error["data"]["pending"]) == (None, None)


def test_targets_have_a_result_each_and_the_worst_exit_code_counts(
    home: Home, written: Path, empty_db: Url, outside: dict[str, str]
) -> None:
    tenants = "url = 'env:THE_URL'\n[[target]]\nschema = 'acme'\n[[target]]\nschema = 'bolt'\n"
    listed = home.root / "targets.toml"
    listed.write_text(f"{tenants}[[target]]\nname = 'away'\nurl = 'env:AWAY'\n")
    env = {**outside, "AWAY": "postgresql://nobody:geheim@127.0.0.1:1/nothing"}

    done = home.run("migrate", "up", "--targets", str(listed), "--json", env=env)
    listed.write_text(tenants)
    checked = home.data("migrate", "status", "--check", "--targets", str(listed), env=env)
    said = home.ok("migrate", "verify", "--targets", str(listed), env=env)
    reverted = home.data("migrate", "down", "--targets", str(listed), "--parallel", "1", env=env)

    answer = json.loads(done.stdout)
    assert (done.returncode, answer["ok"], answer["error"]["code"]) == (3, False, "targets_failed")
    assert "1 of 3 targets failed: away" in answer["error"]["message"]
    results = {one["name"]: (one["exit_code"], one["error"] and one["error"]["code"]) for one in answer["data"]["targets"]}
    assert results == {"acme": (0, None), "bolt": (0, None), "away": (3, "unreachable")}
    assert "geheim" not in done.stdout + done.stderr
    assert "acme: applied app@acme 20240101120000_things" in done.stderr
    assert [one["data"]["pending"] for one in checked["targets"]] == [0, 0]
    assert said.splitlines() == ["acme: 0 findings", "bolt: 0 findings"]
    assert [one["data"]["steps"][0]["source"] for one in reverted["targets"]] == ["app@acme", "app@bolt"]


def test_every_verb_that_works_on_one_database_works_on_many(home: Home, written: Path, outside: dict[str, str]) -> None:
    listed = home.root / "targets.toml"
    listed.write_text("url = 'env:THE_URL'\n[[target]]\nschema = 'acme'\n")
    there = ("--targets", str(listed))

    traced = home.data("migrate", "trace", *there, env=outside)
    tried = home.data("migrate", "test", *there, env=outside)
    home.ok("migrate", "up", *there, env=outside)
    again = home.data("migrate", "redo", *there, env=outside)
    left = home.data("migrate", "backfill", "status", "--check", *there, env=outside)
    refused = home.error("migrate", "test", "--all", *there, env=outside)

    assert [one["data"]["migrations"][0]["source"] for one in (traced["targets"][0], tried["targets"][0])] == ["app@acme"] * 2
    assert [step["direction"] for step in again["targets"][0]["data"]["steps"]] == ["down", "up"]
    assert left["targets"] == [{"name": "acme", "schema": "acme", "exit_code": 0, "data": {"backfills": []}, "error": None}]
    assert refused[:2] == (2, "usage")
