"""Whether a server lets us replicate: without that PostgreSQL's own tools neither copy its data nor receive its WAL."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from threading import Event

import psycopg

from pgkeel.backup.source import Source
from pgkeel.core.errors import Refused
from pgkeel.core.log import get_logger
from pgkeel.postgres import Connection, describe, load

__all__ = ["NoReplication", "is_replication_refused", "no_replication", "require_takeable", "wal_kept"]

log = get_logger(__name__)

_SHORT = 1.0

_INSTEAD = (
    "where the provider offers no replication (most managed services), use its snapshots and point-in-time recovery, "
    "or pg_dump, which knows no point in time"
)


class NoReplication(Refused):
    """The server does not let this login replicate, so no backup of it can be taken."""

    code = "no_replication"


def no_replication(reason: str, remedy: str) -> NoReplication:
    """Return the error that says what to do, and what to use where that cannot be done."""
    return NoReplication(f"{reason}, so no backup can be taken", hint=f"{remedy}; {_INSTEAD}")


def require_takeable(source: Source) -> None:
    """Prove that backups of a server can be taken.

    Raises:
        Refused: It is a standby.
        NoReplication: The login may not replicate.
    """
    if source.in_recovery:
        raise Refused("the server is a standby", hint="take backups from the primary")
    if not source.replicates:
        raise no_replication(f"{source.login} may not replicate", f"`ALTER ROLE {source.login} REPLICATION`")


def is_replication_refused(address: str, connection: Connection) -> bool:
    """Return whether a server that answers a login does not let it replicate.

    Args:
        address: A conninfo string of the login.
        connection: An ordinary one of it: a server that went away refuses nothing.
    """
    try:
        psycopg.connect(address, replication="true", autocommit=True).close()
    except psycopg.OperationalError:
        return _answers(connection)
    return False


def _answers(connection: Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def wal_kept(connection: Connection, beside: Executor, *, at_once: bool = False) -> Iterator[None]:
    """Let the server keep its WAL while a backup runs, which ends with it: checkpoints would remove what a long one needs.

    A short one ends before a checkpoint comes, and a slot costs several waits for the disk: it is made when a second has passed.
    Where none can be made (no slot is free, its disk is full), the log says so, and the backup may fail at its end.

    Args:
        connection: Lives as long as the block; the slot goes with it.
        beside: Makes the slot while the backup runs, and takes it away while that is written down.
        at_once: Whether it is made without waiting: the one before failed because a checkpoint came sooner.
    """
    is_over = Event()
    made = beside.submit(_keep_wal, connection, is_over, 0.0 if at_once else _SHORT)
    try:
        yield
    finally:
        is_over.set()
        if made.result():
            beside.submit(_let_wal_go, connection)


def _keep_wal(connection: Connection, is_over: Event, after: float) -> bool:
    if is_over.wait(after):
        return False
    try:
        load(__name__, "keep_wal").row(connection)
    except psycopg.Error as err:  # where the server is gone, pg_basebackup says so better
        log.warning("backup.wal_not_kept", error=describe(err))
        return False
    return True


def _let_wal_go(connection: Connection) -> None:
    with suppress(psycopg.Error):  # the server went away, and the slot with it
        load(__name__, "let_wal_go").row(connection)
