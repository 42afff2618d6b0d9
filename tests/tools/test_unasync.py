"""The sync form is generated, whole and up to date."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "unasync.py"


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(TOOL), *arguments], capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_committed_sync_form_is_up_to_date() -> None:
    done = run("--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_file_and_a_stray_one_are_found(tmp_path: Path) -> None:
    source = tmp_path / "room" / "_async"
    source.mkdir(parents=True)
    (source / "x.py").write_text("async def f() -> None:\n    await g()\n")
    run(str(tmp_path))
    target = tmp_path / "room" / "_sync" / "x.py"
    assert target.read_text().startswith("# Generated from room/_async/x.py")
    assert "def f() -> None:\n    g()\n" in target.read_text()
    target.write_text("changed")
    (target.parent / "stray.py").write_text("")
    said = run("--check", str(tmp_path)).stderr
    assert f"out of date: {target}" in said
    assert f"out of date: {target.parent / 'stray.py'}" in said


def test_a_substitution_that_nothing_needs_fails(tmp_path: Path) -> None:
    (tmp_path / "_async").mkdir()
    (tmp_path / "_async" / "x.py").write_text("X = 1\n")
    done = run(str(tmp_path))
    assert done.returncode == 1
    assert "never used" in done.stderr
