"""tools/environment.py: the virtual environment that every target of the Makefile makes, with installers that only note."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# stands in for uv: `uv venv` makes a folder, `uv pip install` notes what it was asked for (and can be told to fail)
UV = """#!/bin/sh
echo "$*" >> "$NOTES"
if [ "$1" = venv ]; then
    for folder; do :; done
    mkdir -p "$folder/bin" && touch "$folder/pyvenv.cfg" && ln -s "$REAL" "$folder/bin/python"
elif [ -n "${UV_FAILS:-}" ]; then
    exit 1
fi
"""


class Checkout:
    """A copy of what the script reads, and a uv that notes."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        (self.root / "tools").mkdir(parents=True)
        shutil.copy(ROOT / "tools/environment.py", self.root / "tools")
        shutil.copy(ROOT / "pyproject.toml", self.root)
        shutil.copytree(ROOT / "requirements", self.root / "requirements")
        self.notes = folder / "notes"
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "uv").write_text(UV)
        (self.bin / "uv").chmod(0o755)

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def start(self, level: str, **environment: str) -> subprocess.Popen[str]:
        given = {"PATH": f"{self.bin}:/usr/bin:/bin", "NOTES": str(self.notes), "REAL": sys.executable} | environment
        command = [sys.executable, str(self.root / "tools/environment.py"), level, ".venv"]
        return subprocess.Popen(command, env=given, stderr=subprocess.PIPE, text=True)

    def make(self, level: str, **environment: str) -> tuple[int, str, list[str]]:
        """Return exit code, what was said, and the installer's calls."""
        self.notes.write_text("")
        process = self.start(level, **environment)
        said = process.communicate()[1]
        return process.returncode, said, self.notes.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_call_installs_the_lock_with_hashes_and_then_the_project(checkout: Checkout) -> None:
    code, _, calls = checkout.make("run")
    assert code == 0
    assert calls[0].startswith("venv ")
    assert "--require-hashes" in calls[1]
    assert calls[1].endswith("requirements/run.txt")
    assert "--no-deps" in calls[2]


def test_the_second_call_does_nothing(checkout: Checkout) -> None:
    checkout.make("run")
    assert checkout.make("run") == (0, "", [])


def test_tests_add_to_what_up_installed(checkout: Checkout) -> None:
    checkout.make("run")
    _, _, calls = checkout.make("all")
    assert [call.split()[0] for call in calls] == ["pip", "pip"]
    assert checkout.make("run") == (0, "", [])


def test_another_lock_makes_the_environment_anew(checkout: Checkout) -> None:
    checkout.make("run")
    with (checkout.root / "requirements/run.txt").open("a") as lock:
        lock.write("# changed\n")
    (checkout.venv / "left-over").touch()
    _, _, calls = checkout.make("run")
    assert calls[0].startswith("venv ")
    assert not (checkout.venv / "left-over").exists()


def test_another_python_makes_the_environment_anew(checkout: Checkout) -> None:
    checkout.make("run")
    stamp = checkout.venv / "pgkeel-made.json"
    stamp.write_text(json.dumps({"run": "made by another Python"}))
    assert checkout.make("run")[2][0].startswith("venv ")


def test_an_interrupted_installation_is_made_anew(checkout: Checkout) -> None:
    (checkout.venv / "lib").mkdir(parents=True)
    (checkout.venv / "pyvenv.cfg").touch()
    code, _, calls = checkout.make("run")
    assert (code, calls[0].split()[0]) == (0, "venv")
    assert not (checkout.venv / "lib").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Checkout) -> None:
    checkout.make("run")
    (checkout.venv / "bin/python").unlink()
    assert checkout.make("run")[2][0].startswith("venv ")


def test_a_folder_that_is_no_environment_is_left_alone(checkout: Checkout) -> None:
    checkout.venv.mkdir()
    (checkout.venv / "thesis.txt").touch()
    code, said, calls = checkout.make("run")
    assert (code, calls) == (2, [])
    assert "is not a virtual environment" in said
    assert (checkout.venv / "thesis.txt").exists()


def test_two_makes_at_once_install_once(checkout: Checkout) -> None:
    checkout.notes.write_text("")
    both = [checkout.start("run"), checkout.start("run")]
    for process in both:
        process.communicate()
    assert [process.returncode for process in both] == [0, 0]
    assert len(checkout.notes.read_text().splitlines()) == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_an_error_that_says_so(checkout: Checkout) -> None:
    checkout.root.chmod(0o555)
    code, said, _ = checkout.make("run")
    checkout.root.chmod(0o755)
    assert code == 2
    assert "cannot be written" in said


def test_an_installer_that_fails_leaves_no_environment_that_looks_made(checkout: Checkout) -> None:
    code, said, _ = checkout.make("run", UV_FAILS="1", PIP_NO_INDEX="1", PIP_CONFIG_FILE="/dev/null", PIP_PREFIX="/dev/null/x")
    assert code == 2
    assert "failed with exit code" in said
    assert not (checkout.venv / "pgkeel-made.json").exists()
