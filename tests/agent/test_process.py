"""The agent as a process: started, killed in the middle of a job, stopped."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pgkeel.agent import NotStarted, Status, spawn, status, stop
from pgkeel.core.url import Url
from pgkeel.postgres import Connection
from tests.agent.conftest import until
from tests.agent.test_agent import is_alive, seen

PROGRAM = Path(__file__).with_name("program.py")


@pytest.fixture
def state(tmp_path: Path, db: Connection) -> Iterator[Path]:
    """A state folder whose agent is stopped after the test."""
    db.execute("CREATE TABLE steps (what text)")
    yield tmp_path / "agent"
    stop(tmp_path / "agent")


def start(url: Url, state: Path, mode: str = "patient") -> Status:
    return spawn([sys.executable, str(PROGRAM), url.reveal(), str(state), mode], state)


def steps(db: Connection) -> list[str]:
    return [row["what"] for row in db.execute("SELECT what FROM steps ORDER BY what").fetchall()]


def worker_of(state: Path) -> int:
    """Return the pid of the supervisor's child."""
    pid = status(state).pid
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True).stdout.split()
    return int(children[0])


def running_child(state: Path) -> int:
    """Wait for the job's child process and return its pid."""
    until((state / "child").exists)
    until((state / "child").read_text)
    return int((state / "child").read_text())


@pytest.mark.faults
def test_a_worker_killed_in_the_middle_of_a_job_is_started_again_and_finishes_it(
    agent_db: Url, db: Connection, state: Path
) -> None:
    supervisor = start(agent_db, state).pid
    child = running_child(state)

    os.kill(worker_of(state), signal.SIGKILL)

    until(lambda: not is_alive(child))
    until(lambda: len(steps(db)) == 2)
    (state / "go").touch()
    until(lambda: seen(state).last_outcome == "ok")
    assert status(state).pid == supervisor
    assert steps(db) == ["begun", "begun", "done"]
    assert db.execute("SELECT count(*) AS n FROM pgkeel.agent_runs WHERE finished_at IS NOT NULL").fetchone() == {"n": 1}


@pytest.mark.faults
def test_everything_dies_with_a_killed_supervisor_and_the_next_agent_finishes(agent_db: Url, db: Connection, state: Path) -> None:
    supervisor = start(agent_db, state).pid
    child, worker = running_child(state), worker_of(state)
    assert supervisor is not None

    os.kill(supervisor, signal.SIGKILL)

    until(lambda: not is_alive(worker) and not is_alive(child))
    assert status(state).running is False
    (state / "go").touch()
    start(agent_db, state)
    until(lambda: seen(state).last_outcome == "ok")
    assert steps(db).count("done") == 1


@pytest.mark.faults
def test_a_worker_with_a_thread_that_cannot_be_ended_is_replaced(agent_db: Url, db: Connection, state: Path) -> None:
    start(agent_db, state, "stubborn")
    until(lambda: steps(db))
    first = worker_of(state)

    until(lambda: len(steps(db)) >= 2)

    assert not is_alive(first)
    assert "agent.overstayed" in (state / "agent.log").read_text()


def test_an_agent_that_is_stopped_ends_its_jobs_and_says_so(agent_db: Url, db: Connection, state: Path) -> None:
    start(agent_db, state)
    child = running_child(state)

    assert stop(state) is True

    until(lambda: not is_alive(child))  # it was killed, and dies when a processor is free
    assert stop(state) is False
    assert seen(state).last_error == "the agent was stopped"
    assert (status(state).running, status(state).leader) == (False, False)


def test_a_second_agent_on_the_same_folder_is_not_started(agent_db: Url, state: Path) -> None:
    first = start(agent_db, state)

    second = start(agent_db, state)
    direct = subprocess.run(
        [sys.executable, str(PROGRAM), agent_db.reveal(), str(state), "patient"], capture_output=True, text=True, check=False
    )

    assert second.pid == first.pid
    assert "an agent already works in" in direct.stderr


def test_the_status_of_a_folder_where_no_agent_ever_ran_is_readable(tmp_path: Path) -> None:
    assert status(tmp_path / "nowhere") == Status(running=False, leader=False)


def test_a_status_file_that_a_fault_spoiled_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_bytes(b'{"running": tr')

    assert status(tmp_path).running is False


def test_an_agent_that_ends_at_once_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="no such luck"):
        spawn([sys.executable, "-c", "import sys; sys.exit('no such luck')"], tmp_path, timeout=timedelta(seconds=20))
