"""Try again while other sessions are in the way, for as long as the file or the project allows."""

from collections.abc import Callable
from datetime import timedelta

import psycopg
from psycopg import pq

from pgkeel.core import clock
from pgkeel.core.errors import KeelError, Unreachable
from pgkeel.core.units import parse_duration
from pgkeel.migrations.errors import MigrationBlocked, MigrationFailed, NotReady, ReadOnlyServer
from pgkeel.migrations.guard import jittered
from pgkeel.migrations.message import Message
from pgkeel.migrations.options import Options
from pgkeel.migrations.plan import Task
from pgkeel.migrations.position import place
from pgkeel.migrations.waiting import Waiting
from pgkeel.migrations.wire import StatementRefused, send
from pgkeel.postgres import Connection, describe

__all__ = ["HINT", "Patience", "duration", "failure_of", "lost", "roll_back", "try_once"]

# lock_not_available, deadlock_detected, serialization_failure: another session was in the way, the next try may find it gone
_WORTH_ANOTHER_TRY = {"55P03", "40P01", "40001"}
_FIRST_DELAY, _LONGEST_DELAY = timedelta(milliseconds=100), timedelta(seconds=5)
_DEPENDENT = "2BP01"
"""Other objects rest on what is dropped; the DETAIL names them, and no row."""
HINT = "this unit left nothing behind; correct the file and run `pgkeel migrate up` again"
_HINTS = {
    "42501": "run it as the role that owns the object, or have the right granted",
    "55P04": "put ALTER TYPE … ADD VALUE in a BEGIN … COMMIT of its own, before the statements that use the value",
    "2D000": "a routine that commits needs `-- Up Migration transaction=none`",
    "25001": "move it out of BEGIN … COMMIT, or write `-- Up Migration transaction=none`",
    _DEPENDENT: "drop them in the file before it, and make anew what is still wanted",
    "23505": "remove the duplicates first; an INVALID index is dropped by the next `pgkeel migrate up`",
}


class Patience:
    """How often and how long one unit may still be tried."""

    def __init__(self, task: Task, options: Options) -> None:
        """Begin to count."""
        limit = duration(task, "deadline", options.deadline)
        self._give_up = clock.monotonic() + limit.total_seconds()
        self._left = int(task.section.options.get("retries", "1000000"))
        self._delay = _FIRST_DELAY

    def allows(self, failure: KeelError) -> bool:
        """Return whether a failure may pass by itself and there is time to see."""
        return isinstance(failure, MigrationBlocked) and self._left > 0 and clock.monotonic() < self._give_up

    def pause(self) -> None:
        """Wait for the next try: longer each time, never the same, never beyond the deadline."""
        left = timedelta(seconds=self._give_up - clock.monotonic())
        clock.sleep(min(jittered(self._delay), left))
        self._delay = min(self._delay * 2, _LONGEST_DELAY)
        self._left -= 1


NOT_READY = "KL001"
"""The SQLSTATE with which a migration says itself that rows are not ready for it."""


def try_once(
    connection: Connection, task: Task, message: Message, waiting: Waiting, meanwhile: Callable[[], None] | None = None
) -> KeelError | None:
    """Send a message and return why it failed, rolled back, or None; `meanwhile` is called when the server has begun.

    Raises:
        Unreachable: The connection was lost.
    """
    waiting.begin()
    try:
        send(connection, message.text, waiting.look, meanwhile)
    except StatementRefused as err:
        if connection.pgconn.status != pq.ConnStatus.OK:
            raise lost(err.cause) from err.cause
        roll_back(connection)
        failure = failure_of(task, message, err, waiting)
        failure.__cause__ = err.cause
        return failure
    except psycopg.OperationalError as err:
        raise lost(err) from err
    return None


def roll_back(connection: Connection) -> None:
    """End an open transaction, if there is one."""
    if connection.pgconn.transaction_status in {pq.TransactionStatus.INERROR, pq.TransactionStatus.INTRANS}:
        connection.rollback()


def duration(task: Task, option: str, default: timedelta) -> timedelta:
    """Return a duration of the section's marker, or the default."""
    return parse_duration(task.section.options[option]) if option in task.section.options else default


def lost(err: psycopg.Error) -> Unreachable:
    """Return the error for a connection that ended in the middle."""
    hint = "run `pgkeel migrate up` again: it finds out what was done and goes on from there"
    return Unreachable(f"the connection was lost while a migration ran: {describe(err)}", hint=hint)


def failure_of(task: Task, message: Message, err: StatementRefused, waiting: Waiting) -> KeelError:
    """Return why the server refused a message, with the place in the file and a hint."""
    offset = message.offset_in_file(err.index, err.position)
    where = place(task.where, task.section.text, task.section.start if offset is None else offset)
    text = f"{where}: {describe(err.cause)}"
    state = err.cause.sqlstate or ""
    if state == _DEPENDENT:
        text = f"{text}: {'; '.join((err.cause.diag.message_detail or '').splitlines())}"
    _, line, column = where.rsplit(":", 2)
    facts = {"file": task.where, "line": int(line), "column": int(column), "sqlstate": state}
    if state in _WORTH_ANOTHER_TRY:
        hint = "end that session or wait for it; [migrations] lock_timeout and deadline say how long to try"
        return MigrationBlocked(f"{text}{waiting.blame}", hint=hint, data={**facts, "blockers": waiting.pids})
    if state == NOT_READY:
        return NotReady(text, hint=err.cause.diag.message_hint or "run its backfill, and this again", data=facts)
    if state == "25006":
        return ReadOnlyServer(text, hint="point pgkeel at the primary", data=facts)
    return MigrationFailed(text, hint=_HINTS.get(state) or err.cause.diag.message_hint or HINT, data=facts)
