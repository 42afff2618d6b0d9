"""`pgkeel explain` as a person types it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from pgkeel.cli.main import root
from pgkeel.core.errors import UsageError
from pgkeel.core.url import Url
from pgkeel.postgres import connect

MANY = b"CREATE TABLE many AS SELECT n AS id, n % 1000 AS part FROM generate_series(1, 20000) n; ANALYZE many"


@pytest.fixture
def many(empty_db: Url, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a project whose external database has one table without an index."""
    with connect(empty_db) as connection:
        connection.execute(MANY)
    monkeypatch.setenv("PGKEEL_DATABASE__URL", "env:THE_URL")
    monkeypatch.setenv("THE_URL", empty_db.reveal())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plan_with_a_red_flag_ends_with_one_and_says_it_in_words(many: Path) -> None:
    (many / "slow.sql").write_text("SELECT * FROM many WHERE part = 7;\n")
    asked = CliRunner().invoke(root, ["explain", "--analyze", "--file", "slow.sql"])
    assert asked.exit_code == 1
    assert asked.output.splitlines()[0].startswith("Seq Scan on many (part = …)")
    assert "! reads 20,000 rows of many to keep 20" in asked.output
    told = json.loads(CliRunner().invoke(root, ["explain", "--analyze", "--json", "SELECT * FROM many WHERE part = 7"]).output)
    assert (told["ok"], told["data"]["plan"]["kind"], len(told["data"]["flags"])) == (True, "Seq Scan", 1)


def test_a_write_is_run_with_rollback_only_and_nothing_of_it_stays(many: Path) -> None:
    assert many.is_dir()
    refused = CliRunner().invoke(root, ["explain", "--analyze", "DELETE FROM many"])
    assert "--rollback" in refused.exception.hint  # type: ignore[union-attr]
    assert refused.exception.exit_code == 4  # type: ignore[union-attr]
    ran = CliRunner().invoke(root, ["explain", "--analyze", "--rollback", "DELETE FROM many"])
    assert (ran.exit_code, ran.output.split()[0]) == (0, "Delete")
    again = CliRunner().invoke(root, ["explain", "--analyze", "SELECT * FROM many"])
    assert "20,000 rows" in again.output


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["SELECT 1", "--stat", "1"],
        ["--rollback", "SELECT 1"],
        ["--analyze", "--stat", "1"],
        ["  ; "],
        ["SELECT * FROM many WHERE id = $1"],
    ],
)
def test_what_makes_no_sense_is_refused(many: Path, arguments: list[str]) -> None:
    assert many.is_dir()
    assert isinstance(CliRunner().invoke(root, ["explain", *arguments]).exception, UsageError)
