"""`pgkeel migrate new --recipe`, `repair`, `mark`, `rebase` and `import` as a person and a script use them."""

from pathlib import Path

import pytest

from pgkeel.core.url import Url
from pgkeel.postgres import connect
from tests.projects import Home

PEOPLE = "-- Up Migration\nCREATE TABLE people (id int PRIMARY KEY, phone text);\n-- Down Migration\nDROP TABLE people;\n"
Environment = dict[str, str]


@pytest.fixture
def outside(empty_db: Url) -> Environment:
    """An environment in which the project's database is an empty external one."""
    return {"PGKEEL_DATABASE__URL": "env:THE_URL", "THE_URL": empty_db.reveal()}


@pytest.fixture
def project(home: Home, outside: Environment) -> Home:
    """A project with one applied migration."""
    (home.root / "migrations").mkdir()
    (home.root / "migrations" / "20240101120000_people.sql").write_text(PEOPLE)
    home.ok("migrate", "up", env=outside)
    return home


def test_a_recipe_is_shown_written_and_clean(project: Home, outside: Environment) -> None:
    recipe = ("migrate", "new", "--recipe", "not-null", "people.phone", "--fill", "''")

    planned = project.data(*recipe, "--dry-run", env=outside)
    written = project.data(*recipe, env=outside)
    code, kind, said = project.error("migrate", "new", "--recipe", "not-null", "poeple.phone", env=outside)
    lonely = project.error("migrate", "new", "a", "--dry-run", env=outside)

    assert [Path(one["path"]).name[15:] for one in written["files"]] == [
        "people_phone_not_null_1_fill.sql",
        "people_phone_not_null_2_prove.sql",
    ]
    assert [one["path"][15:] for one in planned["files"]] == [one["path"][15:] for one in written["files"]] or planned["dry_run"]
    assert (code, kind) == (2, "not_found")
    assert "did you mean people?" in said
    assert lonely[0] == 2
    project.ok("migrate", "lint", *(one["path"] for one in written["files"]), env=outside)


def test_repair_mark_and_rebase_say_what_they_do(project: Home, outside: Environment) -> None:
    folder = project.root / "migrations"
    (folder / "20240101120000_people.sql").rename(folder / "20240101120000_persons.sql")
    (folder / "20230101120000_late.sql").write_text(PEOPLE.replace("people", "late"))

    repaired = project.data("migrate", "repair", env=outside)
    refused = project.error("migrate", "up", env=outside)
    planned = project.data("migrate", "rebase", "--dry-run", env=outside)
    moved = project.data("migrate", "rebase", env=outside)
    version = moved["moves"][0]["new"][:14]
    marked = project.data("migrate", "mark", version, "applied", "--reason", "made by hand", env=outside)

    assert [one["kind"] for one in repaired["repairs"]] == ["moved_file"]
    assert refused[:2] == (4, "out_of_order")
    assert planned["moves"][0]["old"] == moved["moves"][0]["old"] == "20230101120000_late.sql"
    assert (marked["before"], marked["after"], marked["is_changed"]) == ("pending", "applied", True)
    (folder / moved["moves"][0]["new"]).write_text(PEOPLE.replace("people", "edited"))
    left = project.run("migrate", "repair", "--dry-run", env=outside)
    assert left.returncode == 1
    assert f"--accept {version}" in left.stdout


def test_import_takes_over_files_and_ledger(project: Home, outside: Environment, empty_db: Url) -> None:
    old = project.root / "db"
    old.mkdir()
    (old / "20240201000000_pets.sql").write_text(
        "-- migrate:up\nCREATE TABLE pets (id int);\n-- migrate:down\nDROP TABLE pets;\n"
    )
    with connect(empty_db) as connection:
        connection.execute(
            "CREATE TABLE schema_migrations (version text); INSERT INTO schema_migrations VALUES ('20240201000000')"
        )
        connection.execute("CREATE TABLE pets (id int)")

    planned = project.data("migrate", "import", "dbmate", str(old), "--dry-run", env=outside)
    assert not (project.root / "migrations" / "20240201000000_pets.sql").exists()
    done = project.data("migrate", "import", "dbmate", str(old), env=outside)
    (old / "20240301000000_bad.sql").write_text("-- migrate:up\n\\i x.sql\n-- migrate:down\n")
    code, kind, said = project.error("migrate", "import", "dbmate", str(old), "--files-only", env=outside)

    assert [one["is_applied"] for one in planned["files"]] == [one["is_applied"] for one in done["files"]] == [True]
    assert project.data("migrate", "status", env=outside)["pending"] == 0
    assert (code, kind) == (2, "bad_migration")
    assert "20240301000000_bad.sql:2:1" in said
