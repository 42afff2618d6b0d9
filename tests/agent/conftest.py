"""A database with the agent's own table, and an agent in a thread."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from importlib import resources
from pathlib import Path

import pytest

from pgkeel.agent.agent import Agent
from pgkeel.agent.jobs import Job
from pgkeel.agent.reach import Connector, Role
from pgkeel.agent.services import Service
from pgkeel.core.clock import Clock, monotonic, sleep
from pgkeel.core.config import AgentConfig
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect

MIGRATION = "20240101000200_agent_runs.sql"


@pytest.fixture
def agent_db(empty_db: Url) -> Url:
    """A database in which `pgkeel.agent_runs` was migrated."""
    text = resources.files("pgkeel.postgres").joinpath("migrations", MIGRATION).read_text()
    with connect(empty_db) as connection:
        connection.execute("CREATE SCHEMA pgkeel")
        connection.execute(text.partition("-- Down Migration")[0].encode())
    return empty_db


@pytest.fixture
def connector(agent_db: Url) -> Connector:
    """Opens connections to it, the role as their application name."""

    def open_as(role: Role) -> Connection:
        return connect(agent_db, application=f"agent {role}")

    return open_as


@pytest.fixture
def db(agent_db: Url) -> Iterator[Connection]:
    """A connection to look from outside."""
    with connect(agent_db) as connection:
        yield connection


@contextmanager
def working(
    connector: Connector,
    state: Path,
    jobs: Sequence[Job] = (),
    *,
    services: Sequence[Service] = (),
    clock: Clock | None = None,
    grace: timedelta = timedelta(seconds=5),
    settings: AgentConfig | None = None,
) -> Iterator[Agent]:
    """An agent that works while the block runs; its exit code is left in `agent.exit_codes`."""
    agent = Agent(connector, state, settings or AgentConfig(), jobs=jobs, services=services, clock=clock, grace=grace)
    thread = threading.Thread(target=agent.run)
    thread.start()
    try:
        yield agent
    finally:
        agent.stop()
        thread.join()


def until(holds: Callable[[], object], *, seconds: float = 30) -> None:
    """Wait until something holds; the limit only ends a test that would hang."""
    end = monotonic() + seconds
    while not holds():
        assert monotonic() < end, "it never came true"
        sleep(timedelta(milliseconds=20))
