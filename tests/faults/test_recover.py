"""A disk that is gone, and a machine that is gone: what comes back is everything that anybody was promised."""

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pgkeel.core.url import Url
from pgkeel.postgres import connect
from tests.projects import Home, new_home, remove_home

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(1500)]


@pytest.fixture
def home() -> Iterator[Home]:
    made = new_home()
    (made.root / "pgkeel.toml").write_text('[backup]\nrpo = "zero"\n')
    made.ok("up")
    yield made
    remove_home(made)


def write_until_it_dies(url: Url, number: int, acknowledged: list[int], ready: threading.Event) -> None:
    """Insert rows one by one; a row is acknowledged when its INSERT returned."""
    try:
        with connect(url) as connection:
            for row in range(number * 1_000_000, (number + 1) * 1_000_000):
                connection.execute("INSERT INTO promised VALUES (%s)", [row])
                acknowledged.append(row)
                if len(acknowledged) > 50:
                    ready.set()
    except psycopg.OperationalError:
        return


def kill_the_server_and_its_disk(home: Home) -> None:
    data = home.state / "server" / "postgres" / "data"
    postmaster = int((data / "postmaster.pid").read_text().splitlines()[0])
    children = [int(pid) for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()]
    for pid in (postmaster, *children):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(data)


def test_no_acknowledged_row_is_lost_when_the_server_and_its_disk_die_under_load(home: Home) -> None:
    home.ok("psql", "-c", "CREATE TABLE promised (n bigint PRIMARY KEY)")
    home.ok("backup", "full")
    url = Url.parse(home.ok("url", "--role", "owner", "--reveal"))
    acknowledged: list[list[int]] = [[] for _ in range(4)]
    ready = [threading.Event() for _ in range(4)]
    writers = [
        threading.Thread(target=write_until_it_dies, args=(url, number, acknowledged[number], ready[number]))
        for number in range(4)
    ]
    for writer in writers:
        writer.start()
    for event in ready:
        assert event.wait(120)
    kill_the_server_and_its_disk(home)
    for writer in writers:
        writer.join()

    done = home.data("recover", "--yes")

    rows = {int(row) for row in home.ok("psql", "--role", "superuser", "-Atc", "SELECT n FROM promised").splitlines()}
    promised = {row for each in acknowledged for row in each}
    assert len(promised) > 200
    assert promised <= rows, f"{len(promised - rows)} of {len(promised)} acknowledged rows are gone"
    assert [step["state"] for step in done["steps"]] == ["done"] * 5


def test_on_a_new_machine_the_repository_and_its_identity_are_enough(home: Home) -> None:
    home.ok("psql", "-c", "CREATE TABLE kept (n bigint PRIMARY KEY)")
    home.ok("psql", "-c", "INSERT INTO kept SELECT generate_series(1, 1000)")
    home.ok("backup", "full")
    other = new_home()
    try:
        shutil.copy(home.root / ".pgkeel-backup" / "identity", other.root / "key")
        (other.root / "pgkeel.toml").write_text('[backup]\nidentity = "file:key"\n')

        done = other.data("recover", "--from", str(home.root / ".pgkeel-backup" / "repository"), "--yes")

        assert done["undo_directory"] is None
        assert other.ok("psql", "--role", "app", "-Atc", "SELECT count(*) FROM roles") != "0"
        assert other.ok("psql", "-Atc", "SELECT count(*) FROM kept") == "1000"
        assert other.run("status").returncode == 0
    finally:
        remove_home(other)
