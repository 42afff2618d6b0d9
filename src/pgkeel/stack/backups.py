"""Take a project's backups: its server, its repositories and its keys introduced to `pgkeel.backup`."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg.conninfo

from pgkeel.backup import Record, relations_of
from pgkeel.backup.basebackup import Progress
from pgkeel.backup.closed import Closed, closed_partitions
from pgkeel.backup.planning import Plan, Wish
from pgkeel.backup.source import Source, source_of
from pgkeel.backup.spool import Spool
from pgkeel.backup.taking import Order, Taker
from pgkeel.backup.tools import Spawn, start
from pgkeel.core import clock
from pgkeel.core.errors import ConfigError, KeelError
from pgkeel.core.files import write_whole
from pgkeel.core.log import get_logger
from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.core.telling import Report, silent
from pgkeel.postgres import Connection
from pgkeel.stack.adopting import engine_of, take_adopted
from pgkeel.stack.connection import connect, login_url
from pgkeel.stack.layout import layout_of
from pgkeel.stack.recovery_guard import require_no_recovery
from pgkeel.stack.vault import backup_folder, programs_of, recipients_of, repositories_of

__all__ = [
    "address_of",
    "backup_connection",
    "escrowed_keys",
    "holder",
    "own_systems",
    "plan",
    "source",
    "spool_of",
    "spools",
    "take",
    "taker",
]

_PATIENCE = timedelta(hours=2)
_WAL, _STAGING, _PASSFILE = "wal", "staging", "external.pgpass"

log = get_logger(__name__)


def take(
    project: Project,
    wish: Wish,
    *,
    progress: Progress = lambda _done, _total: None,
    spawn: Spawn = start,
    wait: Callable[[timedelta], None] = clock.sleep,
    report: Report | None = None,
) -> Record:
    """Take a backup of the project's cluster into its first repository and return its record; see `Taker.take`.

    Where another tool takes the backups, it is asked for one.

    Args:
        project: Whose cluster.
        wish: `full` or `incremental`.
        progress: Hears how far it is.
        spawn: How children are started.
        wait: Waits, or raises when the work is to end.
        report: Hears what is waited for; without it nobody is.
    """
    engine = engine_of(project)
    if engine is not None:
        return take_adopted(project, engine, wish)
    with taker(project, spawn=spawn, report=report) as ours:
        return ours.take(wish, progress=progress, wait=wait)


def plan(project: Project, wish: Wish) -> Plan:
    """Return what `take` would take; nothing is written."""
    with taker(project) as ours:
        return ours.plan(wish)


@contextmanager
def taker(project: Project, *, spawn: Spawn = start, report: Report | None = None) -> Iterator[Taker]:
    """Yield what takes the project's backups.

    Raises:
        RecoveryOpen: The server is being replaced.
    """
    require_no_recovery(layout_of(project))
    with backup_connection(project) as connection:
        found = source_of(connection)
        order = Order(
            repository=repositories_of(project)[0],
            recipients=recipients_of(project),
            programs=programs_of(project, found.major),
            address=address_of(project, "pgkeel backup"),
            holder=holder(),
            rto=project.config.backup.rto,
            patience=_PATIENCE if report else timedelta(),
            keys=escrowed_keys(project),
            staging=backup_folder(project) / _STAGING,
        )
        told = report or silent
        yield Taker(
            order,
            connection,
            spawn=spawn,
            relations=lambda: relations_of(connection),
            closed=lambda: _closed(project),
            report=told,
        )


def backup_connection(project: Project) -> Connection:
    """Return a connection of the login that takes backups."""
    return connect(project, "backup", application="pgkeel backup")


def source(project: Project) -> Source:
    """Return what the project's server is."""
    with backup_connection(project) as connection:
        return source_of(connection)


def address_of(project: Project, application: str) -> str:
    """Return the address for PostgreSQL's own tools: everybody may read an argument, so the password is in a file."""
    url = login_url(project, "backup")
    keywords = url.keywords()
    if keywords.pop("password", None) is not None:
        keywords["passfile"] = str(_passfile(project, url.user, url.password.reveal() if url.password else ""))
    return psycopg.conninfo.make_conninfo("", **{**keywords, "application_name": application})


def _closed(project: Project) -> Sequence[Closed]:
    """Return what lies in closed partitions; the login that takes backups reads no table."""
    with connect(project, "superuser", application="pgkeel backup") as connection:
        return closed_partitions(connection)


def spool_of(project: Project, system: str) -> Spool:
    """Return the folder of received WAL of one cluster."""
    return Spool(backup_folder(project) / _WAL / system)


def spools(project: Project) -> list[Spool]:
    """Return the folders of received WAL; a cluster that is gone may have left some."""
    folder = backup_folder(project) / _WAL
    return [Spool(path) for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []


def own_systems(project: Project) -> frozenset[str]:
    """Return the clusters that are this project's: those whose WAL it has received, and its server, where that answers.

    Other projects may keep theirs in the same repository, and for longer.

    Raises:
        Unreachable: The server does not answer, and nothing was received here that says which is meant.
    """
    received = frozenset(spool.folder.name for spool in spools(project))
    try:
        return received | {source(project).system}
    except KeelError:
        if not received:
            raise
        return received


def escrowed_keys(project: Project) -> bytes | None:
    """Return the key that opens the encrypted fields, for a machine that has only the repository; None where there is none.

    The ring itself lies wrapped in the database, so it is in every backup; what unwraps it is not.
    """
    if not project.config.backup.escrow_keys:
        return None
    reference = project.config.security.key
    if reference is None:
        file = layout_of(project).field_key
        return file.read_bytes() if file.is_file() else None
    try:
        return Secret.from_reference(reference, folder=project.root).reveal().encode()
    except ConfigError as err:  # a backup without it is better than none
        log.warning("backup.keys_not_carried", reason=err.message)
        return None


def holder() -> str:
    """Return who we are in a repository's lease."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _passfile(project: Project, user: str, password: str) -> Path:
    escaped = [part.replace("\\", "\\\\").replace(":", "\\:") for part in (user, password)]
    folder = backup_folder(project)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / _PASSFILE, f"*:*:*:{escaped[0]}:{escaped[1]}\n".encode())
    return folder / _PASSFILE
