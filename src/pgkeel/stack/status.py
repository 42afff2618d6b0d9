"""What runs here, asked of the servers themselves, and what a person should know about it."""

from datetime import timedelta

import msgspec

from pgkeel import agent, migrations
from pgkeel.core.errors import KeelError, Unreachable
from pgkeel.core.project import Project
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, Server, server_of
from pgkeel.postgres import connect as open_connection
from pgkeel.stack.connection import login_url
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.memory import Memory, recall
from pgkeel.stack.sources import sources
from pgkeel.stack.valkey import is_valkey_running

__all__ = ["AgentStatus", "MigrationsStatus", "PostgresStatus", "Status", "ValkeyStatus", "status"]

_PATIENCE = timedelta(seconds=2)


class PostgresStatus(msgspec.Struct, frozen=True):
    """PostgreSQL; what is not known is null."""

    version: str | None = None
    major: int | None = None
    port: int | None = None
    socket: str | None = None
    running: bool = False


class ValkeyStatus(msgspec.Struct, frozen=True):
    """Valkey; what is not known is null."""

    version: str | None = None
    port: int | None = None
    running: bool = False


class AgentStatus(msgspec.Struct, frozen=True):
    """The agent: whether it runs, and whether it holds the leader lock."""

    running: bool = False
    leader: bool = False


class MigrationsStatus(msgspec.Struct, frozen=True):
    """How many migrations are applied and how many wait; null where the server is down."""

    applied: int | None = None
    pending: int | None = None


class Status(msgspec.Struct, frozen=True):
    """The whole stack.

    Attributes:
        postgres: The database.
        valkey: The cache.
        agent: The agent.
        migrations: The migrations of all sources.
        account: As whom the servers run; null for an external database.
        warnings: What a person should do something about.
        is_healthy: Whether everything that should run does.
    """

    postgres: PostgresStatus
    valkey: ValkeyStatus
    agent: AgentStatus
    migrations: MigrationsStatus
    account: str | None
    warnings: tuple[str, ...]
    is_healthy: bool


def status(project: Project) -> Status:
    """Return what runs; a stopped server is an answer and not an error."""
    layout = layout_of(project)
    memory = None if project.is_external else recall(layout)
    postgres, applied = _database(project, memory)
    valkey = _valkey(layout, memory)
    working = _agent(layout)
    needs_valkey = project.config.local.valkey and not project.is_external
    return Status(
        postgres=postgres,
        valkey=valkey,
        agent=working,
        migrations=applied,
        account=memory.account if memory else None,
        warnings=_warnings(memory, postgres),
        is_healthy=postgres.running and working.running and (valkey.running or not needs_valkey),
    )


def _database(project: Project, memory: Memory | None) -> tuple[PostgresStatus, MigrationsStatus]:
    try:
        url = login_url(project, "owner")
        with open_connection(url, application="pgkeel status", timeout=_PATIENCE) as connection:
            return _running(server_of(connection), url, memory), _migrations(connection, project)
    except Unreachable:
        return _stopped(memory), MigrationsStatus()


def _running(server: Server, url: Url, memory: Memory | None) -> PostgresStatus:
    return PostgresStatus(
        version=server.version,
        major=server.major,
        port=url.port,
        socket=str(memory.socket) if memory else None,
        running=True,
    )


def _stopped(memory: Memory | None) -> PostgresStatus:
    if memory is None:
        return PostgresStatus()
    major = int(memory.version.partition(".")[0])
    return PostgresStatus(version=memory.version, major=major, port=memory.port, socket=str(memory.socket))


def _migrations(connection: Connection, project: Project) -> MigrationsStatus:
    found = migrations.status(connection, sources(project))
    return MigrationsStatus(applied=len(found.applied), pending=len(found.pending))


def _valkey(layout: Layout, memory: Memory | None) -> ValkeyStatus:
    if memory is None or memory.valkey_port is None:
        return ValkeyStatus()
    return ValkeyStatus(memory.valkey_version, memory.valkey_port, running=is_valkey_running(layout, memory))


def _agent(layout: Layout) -> AgentStatus:
    found = agent.status(layout.agent)
    return AgentStatus(running=found.running, leader=found.leader)


def _warnings(memory: Memory | None, server: Server | None) -> tuple[str, ...]:
    kept = memory.warnings if memory else ()
    if server is None or not server.is_outdated:
        return kept
    newest = f"{server.major}.{NEWEST_MINORS[server.major]}"
    return (*kept, f"PostgreSQL {server.version} is old: {newest} corrects known faults; `pgkeel local add {server.major}` brings it")
