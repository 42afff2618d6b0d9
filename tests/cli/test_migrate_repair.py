"""`pgkeel migrate new --recipe`, `repair`, `mark`, `rebase` and `import` as a person and a script use them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pgkeel.cli.main import root
from pgkeel.core.errors import KeelError
from pgkeel.core.url import Url
from pgkeel.postgres import connect

PEOPLE = "-- Up Migration\nCREATE TABLE people (id int PRIMARY KEY, phone text);\n-- Down Migration\nDROP TABLE people;\n"


class Project:
    """A folder with one applied migration; commands run in this process, on an empty external database."""

    def __init__(self, folder: Path, url: Url) -> None:
        self.root = folder
        self.migrations = folder / "migrations"
        self._environment = {"PGKEEL_DATABASE__URL": "env:THE_URL", "THE_URL": url.reveal()}

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(root, ["-C", str(self.root), "migrate", *arguments], env=self._environment)

    def data(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)["data"]

    def error(self, *arguments: str) -> tuple[int, str, str]:
        done = self.run(*arguments)
        assert isinstance(done.exception, KeelError)
        return done.exception.exit_code, done.exception.code, f"{done.exception.message} {done.exception.hint}"


@pytest.fixture
def project(tmp_path: Path, empty_db: Url) -> Project:
    made = Project(tmp_path, empty_db)
    made.migrations.mkdir()
    (made.migrations / "20240101120000_people.sql").write_text(PEOPLE)
    made.data("up")
    return made


def test_a_recipe_is_shown_written_and_clean(project: Project) -> None:
    recipe = ("new", "--recipe", "not-null", "people.phone", "--fill", "''")

    planned = project.data(*recipe, "--dry-run")
    written = project.data(*recipe)
    code, kind, said = project.error("new", "--recipe", "not-null", "poeple.phone")
    lonely = project.error("new", "a", "--dry-run")

    assert [Path(one["path"]).name[15:] for one in written["files"]] == [
        "people_phone_not_null_1_fill.sql",
        "people_phone_not_null_2_prove.sql",
    ]
    assert planned["dry_run"]
    assert [one["text"].splitlines()[0] for one in planned["files"]] == [one["text"].splitlines()[0] for one in written["files"]]
    assert (code, kind) == (2, "not_found")
    assert "did you mean people?" in said
    assert lonely[0] == 2
    assert project.data("lint", *(one["path"] for one in written["files"]))["findings"] == []


def test_repair_mark_and_rebase_say_what_they_do(project: Project) -> None:
    folder = project.migrations
    (folder / "20240101120000_people.sql").rename(folder / "20240101120000_persons.sql")
    (folder / "20230101120000_late.sql").write_text(PEOPLE.replace("people", "late"))

    repaired = project.data("repair")
    refused = project.error("up")
    planned = project.data("rebase", "--dry-run")
    moved = project.data("rebase")
    version = moved["moves"][0]["new"][:14]
    marked = project.data("mark", version, "applied", "--reason", "made by hand")

    assert [one["kind"] for one in repaired["repairs"]] == ["moved_file"]
    assert refused[:2] == (4, "out_of_order")
    assert planned["moves"][0]["old"] == moved["moves"][0]["old"] == "20230101120000_late.sql"
    assert (marked["before"], marked["after"], marked["is_changed"]) == ("pending", "applied", True)
    (folder / moved["moves"][0]["new"]).write_text(PEOPLE.replace("people", "edited"))
    left = project.run("repair", "--dry-run")
    assert left.exit_code == 1
    assert f"--accept {version}" in left.stdout


def test_import_takes_over_files_and_ledger(project: Project, empty_db: Url) -> None:
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

    planned = project.data("import", "dbmate", str(old), "--dry-run")
    assert not (project.migrations / "20240201000000_pets.sql").exists()
    done = project.data("import", "dbmate", str(old))
    (old / "20240301000000_bad.sql").write_text("-- migrate:up\n\\i x.sql\n-- migrate:down\n")
    code, kind, said = project.error("import", "dbmate", str(old), "--files-only")

    assert [one["is_applied"] for one in planned["files"]] == [one["is_applied"] for one in done["files"]] == [True]
    assert project.data("status")["pending"] == 0
    assert (code, kind) == (2, "bad_migration")
    assert "20240301000000_bad.sql:2:1" in said
