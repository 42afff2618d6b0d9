"""requirements/*.txt: universal, hash-pinned, equal to pyproject.toml, without addresses."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools.check_lock import FILES, problems

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture
def files() -> dict[str, str]:
    return {name: (ROOT / f"requirements/{name}.txt").read_text() for name in FILES}


def test_the_lock_agrees_with_pyproject(project: dict[str, Any], files: dict[str, str]) -> None:
    assert list(problems(project, files)) == []


def test_a_requirement_that_is_not_locked_is_found(project: dict[str, Any], files: dict[str, str]) -> None:
    project["project"]["dependencies"].append("pendulum==3.*")
    found = list(problems(project, files))
    assert "pendulum==3.* is locked as None" in found
    assert "requirements/all.txt was made from another pyproject.toml" in found


def test_a_pin_that_the_project_forbids_is_found(project: dict[str, Any], files: dict[str, str]) -> None:
    files["all"] = files["all"].replace("click==8.", "click==7.")
    found = list(problems(project, files))
    assert any(problem.startswith("click==8.5.* is locked as 7.") for problem in found)
    assert any(problem.startswith("requirements/run.txt pins click to 8.") for problem in found)


def test_a_pin_without_hashes_and_an_address_are_found(project: dict[str, Any], files: dict[str, str]) -> None:
    files["all"] += "six==1.0.0\n--find-links https://packages.example/simple\n"
    found = list(problems(project, files))
    assert "requirements/all.txt has a line that is not a pin with hashes" in found
    assert "requirements/all.txt carries an address" in found
