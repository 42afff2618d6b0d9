"""tools/python.sh: which Python the project is run with, on machines made of fake programs."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "tools/python.sh"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    """A PATH with what POSIX has and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sed", "sort", "dirname", "head"):
        (folder / name).symlink_to(next(place / name for place in (Path("/usr/bin"), Path("/bin")) if (place / name).exists()))
    return folder


@pytest.fixture
def run(tmp_path: Path, bin_folder: Path) -> Run:
    def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        bare = {"PATH": str(bin_folder), "HOME": str(tmp_path)} | environment
        return subprocess.run(["/bin/sh", str(SCRIPT), *arguments], capture_output=True, text=True, env=bare, check=False)

    return call


def fake(file: Path, version: str, *, final: bool = True, has_venv: bool = True) -> Path:
    """A Python that answers the probe: `MINOR MICRO FINAL VENV PATH`."""
    minor, _, micro = version.rpartition(".")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'#!/bin/sh\necho "{minor} {micro} {int(final)} {int(has_venv)} {file}"\n')
    file.chmod(0o755)
    return file


def broken(file: Path) -> None:
    """What a pyenv shim does when its version is not selected."""
    file.write_text("#!/bin/sh\necho 'pyenv: command not found' >&2\nexit 127\n")
    file.chmod(0o755)


def test_the_newest_supported_python_wins(run: Run, bin_folder: Path) -> None:
    fake(bin_folder / "python3.11", "3.11.9")
    newest = fake(bin_folder / "python3.13", "3.13.1")
    fake(bin_folder / "python3.14", "3.14.2")
    assert run().stdout.strip() == str(newest)


def test_pyenv_and_uv_folders_are_searched_and_the_newest_patch_wins(run: Run, tmp_path: Path) -> None:
    fake(tmp_path / ".pyenv/versions/3.12.9/bin/python3.12", "3.12.9")
    newest = fake(tmp_path / ".local/share/uv/python/cpython-3.12.11-linux/bin/python3.12", "3.12.11")
    fake(tmp_path / ".pyenv/versions/3.12.1/bin/python3.12", "3.12.1")
    assert run().stdout.strip() == str(newest)


def test_a_shim_that_fails_is_passed_over(run: Run, bin_folder: Path) -> None:
    broken(bin_folder / "python3.13")
    works = fake(bin_folder / "python3.12", "3.12.4")
    assert run().stdout.strip() == str(works)


def test_a_program_that_is_not_what_its_name_says_is_passed_over(run: Run, bin_folder: Path) -> None:
    fake(bin_folder / "python3.13", "3.10.2")
    works = fake(bin_folder / "python3.11", "3.11.4")
    assert run().stdout.strip() == str(works)


def test_a_prerelease_is_passed_over(run: Run, bin_folder: Path) -> None:
    fake(bin_folder / "python3.13", "3.13.0", final=False)
    works = fake(bin_folder / "python3.12", "3.12.4")
    assert run().stdout.strip() == str(works)


def test_a_plain_python3_serves_where_none_carries_its_minor(run: Run, bin_folder: Path) -> None:
    plain = fake(bin_folder / "python3", "3.12.4")
    assert run().stdout.strip() == str(plain)


def test_the_environment_variable_overrides(run: Run, bin_folder: Path, tmp_path: Path) -> None:
    fake(bin_folder / "python3.13", "3.13.1")
    mine = fake(tmp_path / "mine/python", "3.11.2")
    assert run(PYTHON=str(mine)).stdout.strip() == str(mine)


def test_an_override_that_is_too_old_is_refused_with_the_supported_ones(run: Run, tmp_path: Path) -> None:
    mine = fake(tmp_path / "mine/python", "3.10.2")
    answer = run(PYTHON=str(mine))
    assert (answer.returncode, answer.stdout) == (2, "")
    assert "is Python 3.10" in answer.stderr
    assert "3.13 3.12 3.11" in answer.stderr


def test_none_found_says_how_to_get_one(run: Run) -> None:
    answer = run()
    assert (answer.returncode, answer.stdout) == (2, "")
    assert all(way in answer.stderr for way in ("apt-get install", "brew install", "uv python install", "PYTHON="))


def test_missing_ensurepip_names_the_debian_package(run: Run, bin_folder: Path) -> None:
    fake(bin_folder / "python3.12", "3.12.4", has_venv=False)
    answer = run()
    assert answer.returncode == 2
    assert "apt-get install python3.12-venv" in answer.stderr


def test_missing_ensurepip_does_not_matter_to_uv(run: Run, bin_folder: Path) -> None:
    python = fake(bin_folder / "python3.12", "3.12.4", has_venv=False)
    fake(bin_folder / "uv", "0.13.9")
    assert run().stdout.strip() == str(python)


def test_a_python_that_can_make_environments_is_preferred_to_one_that_cannot(run: Run, bin_folder: Path) -> None:
    fake(bin_folder / "python3.13", "3.13.1", has_venv=False)
    works = fake(bin_folder / "python3.11", "3.11.4")
    assert run().stdout.strip() == str(works)


def test_all_lists_one_a_minor_newest_first(run: Run, bin_folder: Path) -> None:
    wanted = [fake(bin_folder / f"python3.{minor}", f"3.{minor}.4") for minor in (13, 12, 11)]
    assert run("--all").stdout.split() == [str(path) for path in wanted]


def test_a_machine_without_home_is_searched_all_the_same(bin_folder: Path) -> None:
    python = fake(bin_folder / "python3.12", "3.12.4")
    bare = {"PATH": str(bin_folder)}
    answer = subprocess.run(["/bin/sh", str(SCRIPT)], capture_output=True, text=True, env=bare, check=True)
    assert answer.stdout.strip() == str(python)


def test_the_choice_on_this_machine_runs(tmp_path: Path) -> None:
    answer = subprocess.run(["/bin/sh", str(SCRIPT)], capture_output=True, text=True, check=True)
    shown = subprocess.run(
        [answer.stdout.strip(), "-c", "import sys; print(sys.version_info[:2] >= (3, 11))"], capture_output=True, check=True
    )
    assert shown.stdout == b"True\n"
