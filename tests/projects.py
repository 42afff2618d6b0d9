"""Project folders for tests that use pgkeel as a person does: through its command line, in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pgkeel.stack import backup_jobs, drill_jobs
from tests.forked import run_forked

__all__ = ["Home", "backups_at_start", "home", "new_home", "remove_home", "running"]


NO_BACKUPS = {"PGKEEL_BACKUP__RECEIVE": "false"}
_FRESH = ("LANG", "LC_", "PYTHON", "TZ")  # what an interpreter reads once, when it starts


class Home:
    """One project folder.

    Args:
        root: Where it is.
        settings: Environment variables that every command gets.
    """

    def __init__(self, root: Path, settings: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.state = root / ".pgkeel"
        self._settings = settings or {}

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pgkeel", "-C", str(self.root), *arguments]

    def run(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
        limit: Any = None,
        timeout: float = 150,
    ) -> "subprocess.CompletedProcess[str]":
        given = {**self._settings, **(env or {})}
        if not prefix and limit is None and not any(name.startswith(_FRESH) for name in given):
            return run_forked(["-C", str(self.root), *arguments], env=environment(given), timeout=timeout)
        return subprocess.run(
            [*prefix, *self.argv(*arguments)],
            env=environment(given),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            preexec_fn=limit,
        )

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.argv(*arguments),
            env=environment({**self._settings, **(env or {})}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ok(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        """Run what must succeed and return its stdout."""
        done = self.run(*arguments, env=env)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout.strip()

    def data(self, *arguments: str, env: Mapping[str, str] | None = None) -> Any:
        """Run what must succeed and return its `data`."""
        return json.loads(self.ok(*arguments, "--json", env=env))["data"]

    def error(self, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        """Run what must fail and return exit code, code and message with hint."""
        done = self.run(*arguments, "--json", env=env)
        error = json.loads(done.stdout)["error"]
        assert error is not None, done.stdout
        assert "Traceback" not in done.stderr
        return done.returncode, error["code"], f"{error['message']} {error['hint']}"

    def secrets(self) -> dict[str, str]:
        """Return every password, by file."""
        return {file.stem: file.read_text().strip().split(":")[4] for file in (self.state / "secrets").glob("*.pgpass")}


def environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """Return the developer's environment without what would lead libpq elsewhere; `extra` with "" as a value removes a name.

    Where Python may not keep what it compiled, every command would compile all of pgkeel again: 0.8 s of CPU each.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG") or name == "PGKEEL_RUNTIME"}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    merged = {**kept, **(extra or {})}
    return {name: value for name, value in merged.items() if value or name not in (extra or {})}


def new_home(settings: Mapping[str, str] | None = None) -> Home:
    """Return a fresh project folder that the servers' account can reach; pytest's own are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="pgkeel-home-"))
    folder.chmod(0o755)
    return Home(folder, settings)


def backups_at_start() -> dict[str, str]:
    """Return settings under which the agent takes and tries backups as it starts, and not again while tests count them."""
    line = f"{datetime.now(UTC) - timedelta(minutes=1):%M %H} * * *"
    lines = [f'{name} = "{line}"' for name in (*backup_jobs.SCHEDULES, *drill_jobs.SCHEDULES)]
    return {"PGKEEL_AGENT__SCHEDULES": f"{{{', '.join(lines)}}}"}


def remove_home(home: Home) -> None:
    """Stop what runs there and delete it."""
    if (home.state / "pgkeel-state").exists():
        home.run("reset", "--yes")
    shutil.rmtree(home.root, ignore_errors=True)


@pytest.fixture
def home() -> Iterator[Home]:
    """A fresh project folder, its stack deleted afterwards; its agent takes no backups beside the test."""
    made = new_home(NO_BACKUPS)
    yield made
    remove_home(made)


@pytest.fixture(scope="module")
def running() -> Iterator[Home]:
    """A stack that runs, without backups, for the tests of one module that change nothing of it."""
    made = new_home(NO_BACKUPS)
    made.ok("up")
    yield made
    remove_home(made)
