"""`pgkeel migrate lint` as a person, a script and a code host use it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pgkeel.core.url import Url
from pgkeel.postgres import connect
from tests.core.rules.test_sarif import oasis_schema
from tests.projects import Home

BAD = (
    "-- Up Migration\nBEGIN;\nALTER TABLE users DROP COLUMN a;\nCOMMIT;\n-- Down Migration\nALTER TABLE users ADD COLUMN a int;\n"
)
GOOD = (
    "-- Up Migration\nBEGIN;\nALTER TABLE users ADD COLUMN a int;\nCOMMIT;\n-- Down Migration\nALTER TABLE users DROP COLUMN a;\n"
)


@pytest.fixture
def folder(home: Home) -> Path:
    made = home.root / "migrations"
    made.mkdir()
    return made


def found(home: Home, *arguments: str) -> tuple[int, list[Any]]:
    done = home.run("migrate", "lint", *arguments, "--json")
    answer = json.loads(done.stdout)
    assert answer["ok"], done.stdout
    return done.returncode, answer["data"]["findings"]


def test_a_finding_makes_the_exit_code_1_and_a_clean_file_0(home: Home, folder: Path) -> None:
    (folder / "20240101120000_bad.sql").write_text(BAD)
    (folder / "20240101120001_good.sql").write_text(GOOD)

    code, findings = found(home, str(folder / "20240101120000_bad.sql"))

    assert code == 1
    assert [set(finding) >= {"code", "severity", "file", "line", "statement", "message", "fix"} for finding in findings] == [True]
    assert found(home, str(folder / "20240101120001_good.sql")) == (0, [])
    assert [finding["code"] for finding in found(home)[1]] == ["MIG030"]


@pytest.mark.parametrize(
    ("name", "text"), [("20240101120000_a.sql", b"-- Up Migration\nSELEC 1;\n-- Down Migration\n"), ("b.sql", b"\xff")]
)
def test_a_file_that_is_not_sql_makes_the_exit_code_2(home: Home, folder: Path, name: str, text: bytes) -> None:
    (folder / name).write_bytes(text)

    code, kind, message = home.error("migrate", "lint", str(folder / name))

    assert (code, kind) == (2, "bad_migration")
    assert name in message


def test_a_file_that_is_not_there_makes_the_exit_code_2(home: Home) -> None:
    assert home.error("migrate", "lint", "nowhere.sql")[:2] == (2, "bad_migration")


def test_sarif_and_github_are_what_a_code_host_reads(home: Home, folder: Path) -> None:
    (folder / "20240101120000_bad.sql").write_text(BAD)

    sarif = home.run("migrate", "lint", "--format", "sarif")
    github = home.run("migrate", "lint", "--format", "github")
    text = home.run("migrate", "lint", "--format", "json")

    jsonschema.validate(json.loads(sarif.stdout), oasis_schema())
    assert json.loads(sarif.stdout)["runs"][0]["results"][0]["ruleId"] == "MIG030"
    assert (sarif.returncode, github.returncode, text.returncode) == (1, 1, 1)
    assert github.stdout.startswith("::error file=")
    assert json.loads(text.stdout)["data"]["findings"][0]["code"] == "MIG030"


def test_since_judges_what_changed_after_a_commit(home: Home, folder: Path) -> None:
    (folder / "20240101120000_bad.sql").write_text(BAD)
    git = ["git", "-C", str(home.root), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    before = found(home, "--since", "HEAD")
    (folder / "20240101120001_worse.sql").write_text(BAD.replace("COLUMN a", "COLUMN b"))

    after = found(home, "--since", "HEAD")

    assert before == (0, [])
    assert [finding["object"] for finding in after[1]] == ["users.b"]
    assert home.error("migrate", "lint", "--since", "nowhere")[:2] == (2, "usage")


def test_the_target_is_asked_when_it_is_named(home: Home, folder: Path, empty_db: Url) -> None:
    (folder / "20240101120000_index.sql").write_text(
        "-- Up Migration\nCREATE INDEX i ON users (a);\n-- Down Migration\nDROP INDEX i;\n"
    )
    outside = {"PGKEEL_DATABASE__URL": "env:THE_URL", "THE_URL": empty_db.reveal()}

    with connect(empty_db, application="test") as connection:
        connection.execute("CREATE TABLE users (a int)")

    alone = home.run("migrate", "lint", "--json")
    pending = home.data("migrate", "lint", "--pending", env=outside)
    named = home.data("migrate", "lint", "--url", "env:THE_URL", env=outside)

    assert alone.returncode == 1
    assert (pending["findings"], named["findings"]) == ([], [])
    assert "users is small where it will run" in named["accepted"][0]["reason"]
