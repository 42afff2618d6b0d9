"""Hold what a run needs: a session of its own, the runner's lock, and somebody who can look while it waits."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Self

import psycopg
from psycopg import pq
from psycopg.rows import dict_row

from pgkeel.core import clock
from pgkeel.core.telling import Report
from pgkeel.migrations.errors import ReadOnlyServer, RunnerBusy, TransactionPooler
from pgkeel.migrations.options import Options
from pgkeel.postgres import Connection, Row, load

__all__ = ["LOCK_KEY", "Watcher", "jittered", "runner_lock", "session_role"]

LOCK_KEY = int.from_bytes(b"pgkeel")
_random = secrets.SystemRandom()


def jittered(delay: timedelta) -> timedelta:
    """Return the delay, between half and one and a half times as long, so that runners do not march in step."""
    return delay * _random.uniform(0.5, 1.5)


class Watcher:
    """A second session, opened when first needed, that sees what the executing one waits for.

    Use it with `with`; where no second session can be had (one connection allowed) it sees nothing.

    Attributes:
        pid: The server process of the executing session.
    """

    def __init__(self, connection: Connection) -> None:
        """Watch the session of a connection."""
        self._watched = connection
        self.pid = connection.info.backend_pid
        self._connection: Connection | None = None
        self._is_blind = False

    def __enter__(self) -> Self:
        """Open nothing yet."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the second session."""
        if self._connection is not None:
            self._connection.close()

    def blockers(self) -> list[Row]:
        """Return the sessions that the executing one waits for now, the oldest transaction first."""
        return self._look("blockers")

    def index_progress(self) -> Row | None:
        """Return the phase and percentage of the index build of the executing session."""
        return next(iter(self._look("index_progress")), None)

    def second_session(self) -> Connection | None:
        """Return the second session, or None where none can be had."""
        if self._connection is None and not self._is_blind:
            try:
                self._connection = _open_beside(self._watched)
            except psycopg.Error:
                self._is_blind = True
        return self._connection

    def _look(self, query: str) -> list[Row]:
        connection = self.second_session()
        if connection is None:
            return []
        try:
            return load(__name__, query).rows(connection, pid=self.pid)
        except psycopg.Error:
            self._is_blind, self._connection = True, None
            return []


def _open_beside(connection: Connection) -> Connection:
    """Return a session of the same login, as itself: what a session does is shown to its login, not to the role it acts as."""
    beside = psycopg.connect(
        connection.info.dsn,
        password=connection.info.password or None,
        autocommit=True,
        row_factory=dict_row,
        application_name="pgkeel watch",
    )
    beside.execute(b"SET ROLE NONE")
    return beside


def session_role(connection: Connection, watcher: Watcher) -> str:
    """Return the role that the session acts as (`none`: the login itself), after making sure that it can run migrations.

    Raises:
        ReadOnlyServer: The server is a standby, or the session read-only.
        TransactionPooler: A pooler stands between that gives each transaction another session.
    """
    row = load(__name__, "session").row(connection) or {}
    if row["is_standby"]:
        raise ReadOnlyServer("this server is a standby", hint="point pgkeel at the primary")
    if row["is_read_only"]:
        hint = "default_transaction_read_only is on for this role or database: use a role that may write, or RESET it"
        raise ReadOnlyServer("this session is read-only", hint=hint)
    if row["pid"] != connection.info.backend_pid:
        _require_one_session(connection, watcher)
    return str(row["role"])


def _require_one_session(connection: Connection, watcher: Watcher) -> None:
    """Refuse transaction pooling: the pid of the greeting is not the server's, so somebody stands between.

    Between two transactions of ours a second client takes a server: a pooler of transactions hands it ours, or hands us another.
    """
    try:
        is_kept = all(_keeps_its_server(connection, watcher.second_session()) for _ in range(3))
    except (psycopg.errors.InvalidSqlStatementName, psycopg.errors.DuplicatePreparedStatement):
        is_kept = False  # what the driver prepared in one session is missing in the next
    if not is_kept:
        hint = "connect to PostgreSQL itself, or to a pool in session mode: locks and settings live in a session"
        raise TransactionPooler("a transaction pooler stands between pgkeel and the server", hint=hint)


def _keeps_its_server(connection: Connection, other: Connection | None) -> bool:
    ours = _backend(connection)
    if other is None:
        return _backend(connection) == ours
    with other.transaction():
        return _backend(other) != ours and _backend(connection) == ours


def _backend(connection: Connection) -> int:
    return int(load(__name__, "backend").scalar(connection))


@contextmanager
def runner_lock(connection: Connection, options: Options, report: Report, *, key: int = LOCK_KEY) -> Iterator[None]:
    """Hold the lock that keeps runners apart, on the executing session, waiting for it by polling.

    Waiting inside `pg_advisory_lock` would hold a snapshot that another runner's CREATE INDEX CONCURRENTLY waits for: a deadlock.

    Raises:
        RunnerBusy: Another runner held it for the whole of `options.wait`.
    """
    _acquire(connection, options, report, key)
    try:
        yield
    finally:
        if connection.pgconn.status == pq.ConnStatus.OK:
            load(__name__, "unlock").run(connection, key=key)


def _acquire(connection: Connection, options: Options, report: Report, key: int) -> None:
    give_up = clock.monotonic() + options.wait.total_seconds()
    delay, told = timedelta(milliseconds=20), ""
    while not load(__name__, "try_lock").scalar(connection, key=key):
        holder = _holder(connection, key)
        if holder and holder != told:
            report(f"waiting for another runner: {holder}")
            told = holder
        if clock.monotonic() >= give_up:
            hint = "wait for it, or end that session if its runner is gone"
            raise RunnerBusy(f"another runner has been at work for too long: {told or 'unknown'}", hint=hint)
        clock.sleep(jittered(delay))
        delay = min(delay * 1.5, timedelta(seconds=1))


def _holder(connection: Connection, key: int) -> str:
    row = load(__name__, "lock_holder").row(connection, key=key)
    if row is None:
        return ""
    since = f", since {row['since']:%Y-%m-%d %H:%M:%S} UTC" if row["since"] else ""
    return f"{row['application'] or 'a session'} of {row['login']}, pid {row['pid']}, host {row['host']}{since}"
