"""`pgkeel agent`, without a stack."""

import json
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pgkeel.agent import ServiceStatus, Status
from pgkeel.agent.jobs import backfills as backfills_job
from pgkeel.agent.jobs import partitions as partitions_job
from pgkeel.agent.reach import Connector
from pgkeel.agent.state import AgentState, StateLock
from pgkeel.core.clock import now
from pgkeel.core.project import load
from pgkeel.migrations import Source, up
from pgkeel.postgres import Connection
from pgkeel.scaling.partitions import Month
from pgkeel.stack.layout import layout_of
from tests.agent.conftest import until, working
from tests.agent.test_agent import seen
from tests.forked import run_forked
from tests.scaling.conftest import EVENTS, fill


def pgkeel(project: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_forked(["-C", str(project), *arguments], env=os.environ, timeout=60)


def test_the_status_of_an_agent_that_never_ran_is_an_answer(tmp_path: Path) -> None:
    answer = pgkeel(tmp_path, "agent", "status", "--json")

    assert answer.returncode == 1
    assert json.loads(answer.stdout)["data"]["running"] is False


def test_a_service_that_is_down_makes_the_status_a_finding(tmp_path: Path) -> None:
    state = layout_of(load(tmp_path)).agent
    slow = ServiceStatus("wal_archiver", True, behind_since=datetime(2026, 1, 1, tzinfo=UTC))
    services = (ServiceStatus("wal_copier", False, 2, "geo is full"), ServiceStatus("wal_receiver", True), slow)
    state.mkdir(parents=True)
    (state / "status.json").write_bytes(msgspec.json.encode(Status(running=True, leader=True, services=services)))

    with StateLock(AgentState(state).lock):
        answer = pgkeel(tmp_path, "agent", "status")

    assert answer.returncode == 1
    assert "! wal_copier" in answer.stdout
    assert "geo is full" in answer.stdout
    assert "! wal_receiver" not in answer.stdout
    assert "! wal_archiver" in answer.stdout
    assert "is behind" in answer.stdout


def test_a_job_that_the_agent_does_not_have_is_told_before_anything_starts(tmp_path: Path) -> None:
    answer = pgkeel(tmp_path, "agent", "run", "--only", "dril")

    assert answer.returncode == 2
    assert "the agent has no job dril" in answer.stderr
    assert "drill_both_ways" in answer.stderr


def test_a_wrong_schedule_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "pgkeel.toml").write_text('[agent]\nschedules = { health = "sometimes" }\n')

    answer = pgkeel(tmp_path, "agent", "run")

    assert answer.returncode == 2
    assert "agent.schedules.health: 'sometimes' is not a cron line" in answer.stderr
    assert "minute, hour" in answer.stderr


def test_the_agent_drains_events_and_makes_the_months_ahead(connector: Connector, db: Connection, tmp_path: Path) -> None:
    db.execute(EVENTS)
    fill(db, 500)
    present = Month.of(now())

    with working(connector, tmp_path, [partitions_job.JOB]):
        until(lambda: seen(tmp_path, "partitions").last_outcome == "ok")

    result = seen(tmp_path, "partitions").last_result or {}
    assert sum(result["moved"].values()) == 500
    assert f"events_{present.plus(3).suffix()}" in result["created"]
    assert db.execute("SELECT count(*) AS n FROM ONLY events_default").fetchone() == {"n": 0}


def test_the_agent_carries_on_with_backfills(connector: Connector, db: Connection, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    make = "CREATE TABLE people (id int PRIMARY KEY, n int);\nINSERT INTO people SELECT generate_series(1, 300);\n"
    change = "-- Backfill Migration table=people\nUPDATE people SET n = 1 WHERE id > :lo AND id <= :hi;\n"
    (folder / "20240101000000_people.sql").write_text(f"-- Up Migration\n{make}-- Down Migration\nDROP TABLE people;\n{change}")
    up(db, [Source("app", folder)])

    with working(connector, tmp_path, [backfills_job.JOB]):
        until(lambda: seen(tmp_path, "backfills").last_outcome == "ok")

    assert seen(tmp_path, "backfills").last_result == {"run": 1, "left": 0}
    assert db.execute("SELECT count(*) AS n FROM people WHERE n = 1").fetchone() == {"n": 300}
