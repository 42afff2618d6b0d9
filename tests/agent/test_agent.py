"""Jobs, deadlines, leadership and services, on a real server."""

import json
import logging
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from pgkeel.agent import status
from pgkeel.agent.agent import OVERSTAYED, Agent
from pgkeel.agent.context import Context
from pgkeel.agent.jobs import ALL, Job, Result, health, purge_sessions
from pgkeel.agent.log import open_log
from pgkeel.agent.reach import Connector, Reach, Role
from pgkeel.agent.report import JobStatus
from pgkeel.agent.services import Service
from pgkeel.core.clock import FrozenClock
from pgkeel.core.config import AgentConfig
from pgkeel.core.errors import ConfigError
from pgkeel.core.units import Size
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from tests.agent.conftest import until, working

SECOND = timedelta(seconds=1)


def job(run: object, *, needs_leader: bool = False, deadline: timedelta = timedelta(minutes=5), line: str = "0 0 1 1 *") -> Job:
    return Job("job", line, "owner", deadline, needs_leader, run)  # type: ignore[arg-type] # tests pass lambdas


def advance(clock: FrozenClock, by: timedelta = SECOND) -> bool:
    """Move the clock on, by a second unless said otherwise."""
    clock.advance(by)
    return True


def seen(state: Path, name: str = "job") -> JobStatus:
    return next((each for each in status(state).jobs if each.name == name), JobStatus(name, "", needs_leader=False))


def sessions(db: Connection, like: str) -> int:
    row = db.execute("SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND query LIKE %s", [like])
    return int(next(iter((row.fetchone() or {}).values())))


def test_a_missed_run_is_caught_up_once(connector: Connector, tmp_path: Path) -> None:
    runs: list[datetime] = []

    def run(context: Context) -> Result:
        runs.append(context.due)
        return {}

    clock = FrozenClock(datetime(2024, 5, 1, 12, 30, tzinfo=UTC))
    with working(connector, tmp_path, [job(run, line="0 * * * *")], clock=clock):
        until(lambda: seen(tmp_path).last_outcome == "ok")
    clock.advance(timedelta(days=3))
    with working(connector, tmp_path, [job(run, line="0 * * * *")], clock=clock):
        until(lambda: len(runs) == 2)
        until(lambda: seen(tmp_path).last_due == datetime(2024, 5, 4, 12, tzinfo=UTC))

    assert runs == [datetime(2024, 5, 1, 12, tzinfo=UTC), datetime(2024, 5, 4, 12, tzinfo=UTC)]


def test_a_clock_that_was_ahead_and_came_back_stops_no_job(connector: Connector, tmp_path: Path) -> None:
    runs: list[datetime] = []

    def run(context: Context) -> Result:
        runs.append(context.due)
        return {}

    ahead, right = (FrozenClock(datetime(year, 5, 1, 12, 30, tzinfo=UTC)) for year in (2025, 2024))
    with working(connector, tmp_path, [job(run, line="0 * * * *")], clock=ahead):
        until(lambda: seen(tmp_path).last_outcome == "ok")
    with working(connector, tmp_path, [job(run, line="0 * * * *")], clock=right):
        until(lambda: seen(tmp_path).last_due == datetime(2024, 5, 1, 12, tzinfo=UTC))

    assert runs == [datetime(2025, 5, 1, 12, tzinfo=UTC), datetime(2024, 5, 1, 12, tzinfo=UTC)]


def test_a_failed_run_is_tried_again_until_it_succeeds(connector: Connector, tmp_path: Path) -> None:
    clock = FrozenClock(datetime(2024, 5, 1, 12, 30, tzinfo=UTC))
    attempts: list[int] = []

    def run(_: Context) -> Result:
        attempts.append(1)
        if len(attempts) < 3:
            raise ValueError("not yet")
        return {"attempts": len(attempts)}

    with working(connector, tmp_path, [job(run, line="0 * * * *")], clock=clock):
        until(lambda: seen(tmp_path).last_error == "ValueError: not yet")
        until(lambda: advance(clock) and seen(tmp_path).last_outcome == "ok")

    assert seen(tmp_path).last_result == {"attempts": 3}
    assert seen(tmp_path).last_error is None


def test_the_deadline_cancels_a_statement_on_the_server(connector: Connector, db: Connection, tmp_path: Path) -> None:
    def sleep(context: Context) -> Result:
        with context.connect() as connection:
            connection.execute("SELECT pg_sleep(600) /* job */")
        return {}

    with working(connector, tmp_path, [job(sleep, deadline=SECOND)]):
        until(lambda: sessions(db, "SELECT pg_sleep(600)%") == 1)
        until(lambda: seen(tmp_path).last_outcome == "cancelled")
        until(lambda: sessions(db, "SELECT pg_sleep(600)%") == 0)

    assert "deadline" in (seen(tmp_path).last_error or "")


def test_the_deadline_kills_child_processes_and_their_children(connector: Connector, tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    def spawn(context: Context) -> Result:
        child = context.start(["/bin/sh", "-c", f"sleep 600 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait"])
        child.wait()
        context.check()
        return {}

    with working(connector, tmp_path / "state", [job(spawn, deadline=2 * SECOND)]):
        until(pids.exists)
        alive = [int(pid) for pid in pids.read_text().split()]
        until(lambda: seen(tmp_path / "state").last_outcome == "cancelled")

    until(lambda: not any(is_alive(pid) for pid in alive))


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie that nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_thread_that_cannot_be_ended_makes_the_agent_end(connector: Connector, tmp_path: Path) -> None:
    released = threading.Event()

    def stubborn(_: Context) -> Result:
        released.wait()
        return {}

    agent = Agent(connector, tmp_path, AgentConfig(), jobs=[job(stubborn, deadline=SECOND)], grace=SECOND)
    try:
        assert agent.run() == OVERSTAYED
    finally:
        released.set()


def test_of_two_agents_one_leads_and_the_other_takes_over(connector: Connector, db: Connection, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with working(connector, two):
        with working(connector, one):
            until(lambda: leads(one) or leads(two))
            assert leads(one) != leads(two)
            assert len(leader_sessions(db)) == 1
        until(lambda: leads(two))


def test_a_job_that_runs_once_a_year_remembers_what_it_completed(connector: Connector, db: Connection, tmp_path: Path) -> None:
    db.execute("INSERT INTO pgkeel.agent_runs VALUES ('job', '1999-01-01+00', 'a', now(), now())")

    def run(context: Context) -> Result:
        with context.connect() as connection:
            context.finish(connection)
        return {}

    with working(connector, tmp_path, [job(run)], clock=FrozenClock(datetime(2024, 12, 24, tzinfo=UTC))):
        until(partial(has_completed, tmp_path))

    kept = db.execute("SELECT due FROM pgkeel.agent_runs").fetchall()
    assert kept == [{"due": datetime(2024, 1, 1, tzinfo=UTC)}]


def has_completed(state: Path) -> bool:
    return seen(state).last_due is not None


def leader_sessions(db: Connection) -> list[int]:
    """Return who holds the leader lock of this database."""
    rows = db.execute("""
        SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""").fetchall()
    return [row["pid"] for row in rows]


def leads(state: Path) -> bool:
    """Return whether the agent of a folder said last that it leads."""
    return bool(json.loads((state / "status.json").read_text())["leader"]) if (state / "status.json").exists() else False


def test_a_leaders_job_is_cancelled_when_its_session_is_lost_and_done_later(
    connector: Connector, db: Connection, tmp_path: Path
) -> None:
    started: list[int] = []

    def run(context: Context) -> Result:
        started.append(1)
        if len(started) == 1:
            context.wait(timedelta(minutes=5))
        with context.connect() as connection:
            context.finish(connection)
        return {}

    clock = FrozenClock(datetime(2024, 5, 1, 12, 30, tzinfo=UTC))
    with working(connector, tmp_path, [job(run, needs_leader=True)], clock=clock):
        until(lambda: started)
        db.execute("SELECT pg_terminate_backend(%s)", leader_sessions(db))
        until(lambda: seen(tmp_path).last_error == "the leader lock was lost")
        advance(clock, 6 * SECOND)  # it may be tried again; from when it leads on, no time may pass in which it proves nothing
        until(lambda: shown(tmp_path, "leader")["restarts"] or not advance(clock, SECOND / 10))
        until(lambda: seen(tmp_path).last_outcome == "ok")

    assert len(started) == 2


def test_a_due_time_is_never_completed_twice(connector: Connector, db: Connection, tmp_path: Path) -> None:
    clock = FrozenClock(datetime(2024, 5, 1, 12, 30, tzinfo=UTC))
    db.execute("CREATE TABLE done (due timestamptz)")

    def run(context: Context) -> Result:
        with context.connect() as connection, connection.transaction():
            context.begin(connection)
            connection.execute("INSERT INTO done VALUES (%s)", [context.due])
            context.finish(connection)
        return {}

    for folder in (tmp_path / "one", tmp_path / "two"):
        with working(connector, folder, [job(run, line="0 * * * *")], clock=clock):
            until(partial(has_completed, folder))

    assert db.execute("SELECT count(*) AS n FROM done").fetchone() == {"n": 1}
    assert seen(tmp_path / "two").last_outcome == "elsewhere"


def test_health_runs_while_the_database_is_down(tmp_path: Path) -> None:
    def nowhere(_: Role) -> Connection:
        return connect(Url.parse("postgresql://nobody@127.0.0.1:1/nothing"))

    with working(nowhere, tmp_path, ALL):
        until(lambda: seen(tmp_path, "health").last_outcome == "ok")

    assert (seen(tmp_path, "health").last_result or {})["database"] == "unreachable"
    assert seen(tmp_path, "partitions").last_started is None


def test_health_says_what_answers(connector: Connector, tmp_path: Path) -> None:
    with working(connector, tmp_path, [health.JOB]):
        until(lambda: seen(tmp_path, "health").last_outcome == "ok")

    result = seen(tmp_path, "health").last_result or {}
    assert (result["database"], result["standby"]) == ("up", False)
    assert 0 < result["connections"] <= result["max_connections"]


def test_expired_sessions_are_purged_and_others_kept(connector: Connector, db: Connection, tmp_path: Path) -> None:
    db.execute("CREATE TABLE sessions (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), expires_at timestamptz NOT NULL)")
    db.execute("INSERT INTO sessions (expires_at) SELECT now() - interval '1 h' FROM generate_series(1, 5001)")
    db.execute("INSERT INTO sessions (expires_at) VALUES (now() + interval '1 h')")

    with working(connector, tmp_path, [purge_sessions.JOB]):
        until(lambda: seen(tmp_path, "purge_sessions").last_outcome == "ok")

    assert seen(tmp_path, "purge_sessions").last_result == {"purged": 5001}
    assert db.execute("SELECT count(*) AS n FROM sessions").fetchone() == {"n": 1}
    assert db.execute("SELECT job FROM pgkeel.agent_runs WHERE finished_at IS NOT NULL").fetchall() == [{"job": "purge_sessions"}]


def test_jobs_find_nothing_to_do_where_the_designs_tables_are_not_kept(connector: Connector, tmp_path: Path) -> None:
    with working(connector, tmp_path, ALL):
        until(lambda: all(seen(tmp_path, each.name).last_outcome == "ok" for each in ALL))

    assert seen(tmp_path, "partitions").last_result == {"table": None}


def test_a_service_that_fails_is_started_again(connector: Connector, tmp_path: Path) -> None:
    starts: list[int] = []

    def run(reach: Reach) -> None:
        starts.append(1)
        if len(starts) < 4:
            raise OSError("broken")
        reach.wait(timedelta(minutes=5))

    with working(connector, tmp_path, services=[Service("shaky", run)]):
        until(lambda: len(starts) == 4)
        broken = {"running": True, "restarts": 3, "last_error": "OSError: broken", "recovering": False}
        until(lambda: shown(tmp_path, "shaky") == broken)


def test_a_service_that_failed_is_failing_until_it_proves_that_it_works(connector: Connector, tmp_path: Path) -> None:
    starts: list[int] = []
    answers = threading.Event()

    def run(reach: Reach) -> None:
        starts.append(1)
        if len(starts) == 1:
            raise OSError("nobody answers")
        until(answers.is_set)
        reach.prove()
        reach.wait(timedelta(minutes=5))

    with working(connector, tmp_path, services=[Service("copier", run, proves=True)]):
        until(lambda: len(starts) == 2)
        until(lambda: shown(tmp_path, "copier")["recovering"])
        answers.set()
        until(lambda: not shown(tmp_path, "copier")["recovering"])
        assert shown(tmp_path, "copier")["last_error"] == "OSError: nobody answers"


def test_a_service_that_comes_to_no_end_is_behind_until_it_does(connector: Connector, tmp_path: Path) -> None:
    answers = threading.Event()

    def run(reach: Reach) -> None:
        reach.prove()
        until(answers.is_set)
        while True:
            reach.prove()
            reach.wait(timedelta(milliseconds=20))

    with working(connector, tmp_path, services=[Service("copier", run, proves=True, within=timedelta(milliseconds=500))]):
        until(lambda: behind_since(tmp_path, "copier") is not None)
        answers.set()
        until(lambda: behind_since(tmp_path, "copier") is None)


def behind_since(state: Path, service: str) -> object:
    written = json.loads((state / "status.json").read_text())["services"] if (state / "status.json").exists() else []
    return next((each["behind_since"] for each in written if each["name"] == service), None)


def shown(state: Path, service: str) -> dict[str, object]:
    services = json.loads((state / "status.json").read_text())["services"]
    keys = ("running", "restarts", "last_error", "recovering")
    return next({key: each[key] for key in keys} for each in services if each["name"] == service)


def test_a_wrong_cron_line_is_refused_at_once(connector: Connector, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cron line"):
        Agent(connector, tmp_path, AgentConfig(schedules={"health": "whenever"}))


def test_the_log_holds_one_json_object_a_line_and_is_rotated(tmp_path: Path) -> None:
    from pgkeel.core.log import get_logger

    handler = open_log(tmp_path / "agent.log", rotate_at=Size(2_000), kept=2)
    try:
        for number in range(50):
            get_logger("pgkeel.agent").info("tested", number=number)
        try:
            int("a driver's")
        except ValueError:
            logging.getLogger("pgkeel.other").warning("said %s", Path("é"), exc_info=True)
    finally:
        logging.getLogger("pgkeel").removeHandler(handler)
        handler.close()

    assert sorted(file.name for file in tmp_path.iterdir()) == ["agent.log", "agent.log.1", "agent.log.2"]
    newest = (tmp_path / "agent.log.1").read_text() + (tmp_path / "agent.log").read_text()
    *_, last, foreign = map(json.loads, newest.splitlines())
    assert (last["event"], last["number"], last["level"], last["logger"]) == ("tested", 49, "info", "pgkeel.agent")
    assert datetime.fromisoformat(last["timestamp"]).tzinfo is not None
    assert (foreign["event"], foreign["level"], foreign["exception"].splitlines()[-1]) == (
        "said é",
        "warning",
        """ValueError: invalid literal for int() with base 10: "a driver's\"""",
    )


def test_the_agents_folder_is_its_owners_alone(connector: Connector, tmp_path: Path) -> None:
    with working(connector, tmp_path / "agent"):
        until((tmp_path / "agent" / "status.json").exists)

    assert (tmp_path / "agent").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "agent" / "status.json").stat().st_mode & 0o777 == 0o600
