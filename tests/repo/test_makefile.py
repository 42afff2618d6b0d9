"""The newcomer's interface: the targets that the README and the CI rely on."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def make(*arguments: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "-C", str(ROOT), "--no-print-directory", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=clean).stdout


@pytest.mark.parametrize("target", ["up", "down", "test", "check", "audit", "bench", "test-all", "lock", "docs", "clean"])
def test_make_alone_says_what_each_target_does(target: str) -> None:
    assert re.search(rf"^  make {target} +\S", make(), re.MULTILINE)


def test_make_test_runs_all_but_the_long_on_17_and_the_marked_tests_on_the_other_majors() -> None:
    lines = [line.rstrip() for line in make("-n", "test").splitlines()]
    assert any(line.endswith('pytest -n 2 --dist worksteal -m "not long"') for line in lines)
    assert any("local add 17 15 16 18" in line for line in lines)
    assert any('-m "majors and not long" --majors 15,16,18' in line for line in lines)


def test_the_long_tests_run_when_they_are_asked_for() -> None:
    lines = [line.rstrip() for line in make("-n", "test", "LONG=1").splitlines()]
    assert any(line.endswith("pytest -n 2 --dist worksteal") for line in lines)
    assert any('-m "majors" --majors 15,16,18' in line for line in lines)


def test_the_check_looks_for_flaws_and_the_audit_is_apart_from_it() -> None:
    assert "bandit -q -c pyproject.toml -r src tools" in make("-n", "check")
    assert "tools/audit.py" in make("-n", "audit")
    assert "tools/audit.py" not in make("-n", "check")


def test_make_bench_hands_its_arguments_on() -> None:
    assert "-m bench --name access --full" in make("-n", "bench", "NAME=access", "FULL=1")
    assert "-m bench  " in make("-n", "bench") + "  "


def test_make_clean_never_touches_the_database() -> None:
    assert ".pgkeel" not in make("-n", "clean")


def test_the_ci_entry_runs_the_checks_and_the_tests() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert "make check" in script
    assert "make test" in script
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert subprocess.run(["bash", "-n", str(ROOT / ".ci/run")], check=False).returncode == 0
