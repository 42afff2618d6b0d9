"""What may happen to `up`, and what must be true afterwards: the next `up` brings a stack that works, without work by hand."""

import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pgkeel.core import clock
from tests.ports import own_port
from tests.projects import NO_BACKUPS, Home, new_home, remove_home

pytestmark = pytest.mark.faults
INSTANTS = 20


def works(home: Home) -> None:
    """Everything runs, and each role does what it is for."""
    data = home.data("status")
    assert data["healthy"], data
    assert data["migrations"]["pending"] == 0
    home.ok("psql", "-c", "CREATE TABLE IF NOT EXISTS probe (id int)")
    home.ok("psql", "--role", "app", "-c", "INSERT INTO probe VALUES (1)")
    assert home.ok("psql", "--role", "readonly", "-Atc", "SELECT count(*) > 0 FROM probe") == "t"
    home.ok("psql", "--role", "monitor", "-c", "SELECT query FROM pg_stat_activity")


def _long(size: str) -> Any:
    return pytest.param(size, marks=pytest.mark.long)


@pytest.fixture(scope="module")
def duration() -> float:
    """How long a first `up` takes here now, so that the kills fall all over it."""
    made = new_home(NO_BACKUPS)
    before = clock.monotonic()
    made.ok("up")
    took = clock.monotonic() - before
    remove_home(made)
    return took


@pytest.mark.parametrize("number", [pytest.param(n, marks=() if n % 4 == 0 else pytest.mark.long) for n in range(INSTANTS)])
def test_up_killed_at_a_random_instant_is_finished_by_the_next(home: Home, duration: float, number: int) -> None:
    victim = home.start("up")
    try:
        victim.wait(timeout=duration * (number + random.random()) / INSTANTS)
    except subprocess.TimeoutExpired:
        victim.kill()
    victim.communicate()

    home.ok("up")

    works(home)


def test_up_repairs_a_killed_postmaster(home: Home) -> None:
    home.ok("up")
    pid = int((home.state / "server" / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)

    home.ok("up")

    works(home)


def test_up_starts_what_else_was_killed(home: Home) -> None:
    home.ok("up")
    for pid in _processes(home, "valkey-server", "agent run"):
        os.kill(pid, signal.SIGKILL)

    home.ok("up")

    works(home)


def _processes(home: Home, *words: str) -> Iterator[int]:
    """Yield the processes of this project alone: their command line or working folder names it."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_text().replace("\0", " ")
            place = f"{line} {(entry / 'cwd').readlink()}"
        except OSError:
            continue
        if str(home.root) in place and any(word in line for word in words):
            yield int(entry.name)


def test_two_ups_at_once_make_one_stack(home: Home) -> None:
    both = [home.start("up", "--json"), home.start("up", "--json")]
    said = [one.communicate(timeout=150) for one in both]

    assert [one.returncode for one in both] == [0, 0], said
    answers = [json.loads(out)["data"] for out, _ in said]
    assert answers[0]["postgres"] == answers[1]["postgres"]
    works(home)


def test_up_and_reset_at_once_end_in_one_or_the_other(home: Home) -> None:
    home.ok("up")

    both = [home.start("up"), home.start("reset", "--yes")]
    said = [one.communicate(timeout=150) for one in both]

    assert [one.returncode for one in both] == [0, 0], said
    home.ok("up")
    works(home)


def test_a_busy_configured_port_is_an_error_that_names_the_setting(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, name, said = home.error("up", env={"PGKEEL_LOCAL__PORT": str(port)})

    assert (code, name) == (2, "port_busy")
    assert str(port) in said
    assert "local.port" in said
    home.ok("up")


def test_a_remembered_port_that_somebody_took_is_replaced(home: Home) -> None:
    port = own_port()
    home.ok("up", env={"PGKEEL_LOCAL__PORT": str(port)})
    home.ok("down")
    with socket.create_server(("127.0.0.1", port)):
        home.ok("up")

        assert home.data("status")["postgres"]["port"] != port
        works(home)


def test_a_data_directory_of_another_major_is_refused_and_left_alone(home: Home) -> None:
    home.ok("up")
    home.ok("down")
    version = home.state / "server" / "postgres" / "data" / "PG_VERSION"
    version.write_text("16\n")

    code, name, said = home.error("up")
    version.write_text("17\n")

    assert (code, name) == (4, "other_major")
    assert 'local.postgres = "16"' in said
    home.ok("up")
    works(home)


def test_an_environment_without_anything_is_enough(home: Home) -> None:
    done = subprocess.run(
        home.argv("up"), env={}, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150, check=False
    )

    assert done.returncode == 0, done.stderr
    works(home)


def test_a_file_size_limit_is_an_error_and_the_next_up_goes_on(home: Home) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

    done = home.run("up", "--json", limit=limit)

    assert done.returncode in {2, 3, 5}, done.stdout
    assert json.loads(done.stdout)["error"]["message"]
    home.ok("up")
    works(home)


@pytest.fixture
def small_disk(home: Home) -> Iterator[Path]:
    """A project folder on a file system of its own, whose size a test sets."""
    if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", home.root], check=False).returncode:
        pytest.skip("mounting a small file system needs root and CAP_SYS_ADMIN")
    home.root.chmod(0o755)
    yield home.root
    home.run("reset", "--yes")
    subprocess.run(["umount", "--lazy", home.root], check=True)


def resize(folder: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{size}", folder], check=True)


@pytest.mark.parametrize("size", ["4k", _long("64k"), _long("5m"), "30m"])
def test_a_full_disk_is_said_and_the_next_up_goes_on(home: Home, small_disk: Path, size: str) -> None:
    resize(small_disk, f"size={size}")

    code, name, said = home.error("up")

    assert (code, name) == (5, "disk_full"), said
    assert "free some space" in said
    resize(small_disk, "size=900m")
    home.ok("up")
    works(home)


@pytest.mark.parametrize("size", [_long("36m"), "38m", _long("40m"), "44m"])
def test_a_disk_that_fills_up_somewhere_later_is_said_too(home: Home, small_disk: Path, size: str) -> None:
    resize(small_disk, f"size={size}")

    done = home.run("up", "--json")

    error = json.loads(done.stdout)["error"]
    assert error is None or error["code"] == "disk_full", error
    resize(small_disk, "size=900m")
    home.ok("up")
    works(home)


def test_a_read_only_project_folder_is_said(home: Home, small_disk: Path) -> None:
    resize(small_disk, "ro")

    code, name, said = home.error("up")

    assert (code, name) == (2, "not_writable")
    assert str(home.state) in said
    resize(small_disk, "rw,size=900m")
    home.ok("up")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere; the read-only file system covers it")
def test_a_project_folder_without_permission_is_said(home: Home) -> None:
    home.root.chmod(0o500)

    code, name, said = home.error("up")
    home.root.chmod(0o755)

    assert (code, name) == (2, "not_writable")
    assert "[local] directory" in said


def test_a_recovery_for_which_there_is_no_room_does_not_begin(home: Home, small_disk: Path) -> None:
    resize(small_disk, "size=900m")
    told, copy, home = small_disk / "told", small_disk / "copy", Home(small_disk)  # with backups
    (home.root / "pgkeel.toml").write_text(f'[recover]\nstop = "/usr/bin/touch {told}"\n')
    home.ok("up")
    home.ok("backup", "full", "--yes")
    home.ok("down")  # nobody else writes on the disk
    resize(small_disk, f"size={shutil.disk_usage(small_disk).used + 50 * 2**20}")

    for where in ((), ("--into", str(copy))):
        _, name, said = home.error("recover", *where, "--yes")
        assert name in {"not_restorable", "disk_full"}, said  # the disk may be full of WAL before that

    assert "There was no recovery." in home.ok("recover", "status")
    assert not told.exists()
    assert not copy.exists()
