"""What runs here, asked of the servers themselves, and what a person should know about it."""

from datetime import timedelta

import msgspec
import psycopg

from pgkeel import migrations
from pgkeel.agent import Status as Working
from pgkeel.agent import status as agent_status
from pgkeel.core.clock import now
from pgkeel.core.config import ZERO
from pgkeel.core.errors import Unreachable
from pgkeel.core.project import Project
from pgkeel.postgres import Server, connect, server_of
from pgkeel.postgres.server import NEWEST_MINORS
from pgkeel.stack.backup_health import backup_warnings, receives, works
from pgkeel.stack.backup_places import copies_on_the_datas_disk
from pgkeel.stack.connection import login_url
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.memory import Memory, recall
from pgkeel.stack.protection import commits_stand_still, is_protected
from pgkeel.stack.recovery_guard import WAYS_OUT, recovery_open
from pgkeel.stack.valkey import remembered_valkey

__all__ = ["AgentStatus", "MigrationsStatus", "PostgresStatus", "Status", "ValkeyStatus", "status"]

_PATIENCE = timedelta(seconds=2)
_STUCK = 'commits wait for the WAL receiver (rpo = "zero"), which does not stream: `pgkeel backup wal release` lets them go on'


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
    """How many migrations there are, are applied, and wait.

    Attributes:
        files: How many the project has; no database is needed to count them.
        known: Whether the database could be asked for the others, which are null where it could not.
    """

    files: int
    known: bool = False
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
        is_healthy: Whether everything that should run does, the services of the backups too, and copies are really elsewhere.
        recovery: The recovery that is open, if one is: nothing else is started until it ends.
    """

    postgres: PostgresStatus
    valkey: ValkeyStatus
    agent: AgentStatus
    migrations: MigrationsStatus
    account: str | None
    warnings: tuple[str, ...]
    is_healthy: bool
    recovery: str | None = None


def status(project: Project) -> Status:
    """Return what runs; a stopped server is an answer and not an error."""
    layout = layout_of(project)
    memory = None if project.is_external else recall(layout)
    server, applied = _ask(project)
    valkey = _valkey(layout, memory)
    working = agent_status(layout.agent)
    shared = copies_on_the_datas_disk(project, memory)
    is_stuck = server is not None and commits_stand_still(project)
    return Status(
        postgres=_postgres(project, server, memory),
        valkey=valkey,
        agent=AgentStatus(running=working.running, leader=working.leader),
        migrations=applied,
        account=memory.account.name if memory else None,
        warnings=(
            *_open_recovery(layout),
            *(memory.warnings if memory else ()),
            *_outdated(server),
            *backup_warnings(working, now()),
            *_unreceived(project, working),
            *((_STUCK,) if is_stuck else ()),
            *shared,
        ),
        recovery=recovery_open(layout),
        is_healthy=server is not None
        and not shared
        and not is_stuck
        and works(working)
        and (receives(working) or project.config.backup.rpo != ZERO)
        and (working.running or not _needs_agent(project))
        and (valkey.running or project.is_external or not project.config.local.valkey),
    )


def _open_recovery(layout: Layout) -> tuple[str, ...]:
    found = recovery_open(layout)
    return (f"recovery {found} is open, and until it ends nothing else is started: {WAYS_OUT}",) if found else ()


def _unreceived(project: Project, agent: Working) -> tuple[str, ...]:
    """Warn of an agent that was started before the configuration wanted backups: it reads that once."""
    if not agent.services or not is_protected(project) or any(service.name == "wal_receiver" for service in agent.services):
        return ()
    why = "it was started before [backup] said so, or with --only"
    return (f"backups are wanted, and the agent receives no WAL: {why}; `pgkeel down` and `pgkeel up` start it anew",)


def _needs_agent(project: Project) -> bool:
    return not project.is_external or project.config.database.manage or is_protected(project)


def _ask(project: Project) -> tuple[Server | None, MigrationsStatus]:
    sources = migrations.project_sources(project)
    files = sum(migrations.count_files(source) for source in sources)
    try:
        with connect(login_url(project, "owner"), application="pgkeel status", timeout=_PATIENCE) as connection:
            found = migrations.status(connection, sources)
            return server_of(connection), MigrationsStatus(files, True, len(found.applied), len(found.pending))
    except (Unreachable, psycopg.OperationalError):
        return None, MigrationsStatus(files)


def _postgres(project: Project, server: Server | None, memory: Memory | None) -> PostgresStatus:
    port = memory.port if memory else _external_port(project)
    socket = str(memory.socket) if memory else None
    if server is not None:
        return PostgresStatus(server.version, server.major, port, socket, running=True)
    if memory is None:
        return PostgresStatus(port=port)
    return PostgresStatus(memory.runtime.version, memory.runtime.major, port, socket)


def _external_port(project: Project) -> int | None:
    return project.external_url().port if project.is_external else None


def _valkey(layout: Layout, memory: Memory | None) -> ValkeyStatus:
    if memory is None or memory.valkey_port is None:
        return ValkeyStatus()
    valkey = remembered_valkey(layout, memory)
    return ValkeyStatus(memory.valkey_version, memory.valkey_port, running=valkey is not None and valkey.is_running)


def _outdated(server: Server | None) -> tuple[str, ...]:
    if server is None or not server.is_outdated:
        return ()
    newest = f"{server.major}.{NEWEST_MINORS[server.major]}"
    return (f"PostgreSQL {server.version} is old: {newest} corrects known faults (`pgkeel security updates` says what to do)",)
