import json
import os
from pathlib import Path
from typing import Any

from tests.forked import run_forked


def pgkeel(folder: Path, *arguments: str) -> tuple[int, Any]:
    ran = run_forked(["-C", str(folder), *arguments, "--json"], env=os.environ, timeout=60)
    return ran.returncode, json.loads(ran.stdout)


def test_doctor_answers_for_this_machine(tmp_path: Path) -> None:
    code, answer = pgkeel(tmp_path, "doctor")

    assert (code, answer["ok"], answer["error"]) == (0, True, None)
    assert {"account", "C library", "free disk", "locale", "PostgreSQL", "Valkey"} <= {
        fact["name"] for fact in answer["data"]["facts"]
    }


def test_doctor_exits_1_when_something_is_missing(tmp_path: Path) -> None:
    (tmp_path / "pgkeel.toml").write_text('[local]\npostgres = "/nowhere/bin"\n')

    code, answer = pgkeel(tmp_path, "doctor")

    assert (code, answer["ok"]) == (1, True)
    assert [fact["name"] for fact in answer["data"]["facts"] if not fact["is_fine"]] == ["PostgreSQL"]


def test_adding_a_major_twice_fetches_it_once_and_lists_it(tmp_path: Path) -> None:
    code, added = pgkeel(tmp_path, "local", "add", "17")
    _, again = pgkeel(tmp_path, "local", "add", "17")
    _, listed = pgkeel(tmp_path, "local", "list")

    assert code == 0
    assert added == again
    assert added["data"]["runtimes"][0] in listed["data"]["runtimes"]


def test_a_major_that_is_not_supported_is_wrong_usage(tmp_path: Path) -> None:
    code, answer = pgkeel(tmp_path, "local", "add", "14")

    assert (code, answer["ok"], answer["error"]["code"]) == (2, False, "usage")
