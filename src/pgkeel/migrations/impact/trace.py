"""Run pending migrations on a copy of the schema, and write down the locks that every statement really takes.

A statement in a transaction is watched from inside it; one that runs only outside is watched through a `Gate`.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import msgspec

from pgkeel.core.errors import KeelError
from pgkeel.core.ids import new_id
from pgkeel.core.telling import silent
from pgkeel.core.url import Url
from pgkeel.migrations.execute import Run, opening
from pgkeel.migrations.guard import Watcher
from pgkeel.migrations.impact.effect import Effect, Lock
from pgkeel.migrations.impact.gate import Gate
from pgkeel.migrations.impact.observe import Look, difference, held, look, relations
from pgkeel.migrations.impact.static import Address
from pgkeel.migrations.message import compose, settings
from pgkeel.migrations.options import Options
from pgkeel.migrations.patience import failure_of, roll_back
from pgkeel.migrations.plan import Task
from pgkeel.migrations.statement import Statement
from pgkeel.migrations.units import Unit, cannot_run_in_transaction
from pgkeel.migrations.waiting import Waiting
from pgkeel.migrations.wire import StatementRefused, send
from pgkeel.postgres import Connection, server_of

__all__ = ["Trace", "trace"]

# these reach beyond the database: a rehearsal must not talk to a publisher, nor write where no database is
_BEYOND = {"DATABASE", "TABLESPACE", "SUBSCRIPTION", "SYSTEM"}
_WHOLE, _COMMITTING = ("CLUSTER", "REINDEX"), ("CALL", "DO")
_NOT_RUN = Effect(is_complete=False, note="it was not run here: it reaches beyond the database")
_NOT_SEEN = Effect(is_complete=False, note="it ends transactions itself: what it locks was not seen")


class Trace(msgspec.Struct, frozen=True):
    """What was seen.

    Attributes:
        effects: What each statement did, by its place; those behind a failure are missing.
        held: The strongest lock on each table that its transaction had after it.
        failure: Why the run stopped, or None.
    """

    effects: Mapping[Address, Effect]
    held: Mapping[Address, tuple[Lock, ...]]
    failure: KeelError | None = None


class _Stopped(Exception):
    def __init__(self, failure: KeelError) -> None:
        super().__init__(failure.message)
        self.failure = failure


def trace(connection: Connection, url: Url, role: str, tasks: Sequence[Task], options: Options) -> Trace:
    """Run tasks on a scratch database and return what each statement did.

    Args:
        connection: To the scratch database, in autocommit; it acts as `role`.
        url: Of the same database as a superuser, for the sessions that watch and hold up.
        role: Who runs the migrations.
        tasks: What is pending on the target.
        options: `search_path` counts.
    """
    tracer = _Tracer(connection, url, role, options)
    failure = None
    try:
        for task_number, task in enumerate(tasks):
            for unit_number in range(task.first, len(task.units)):
                tracer.run(task, (task_number, unit_number), task.units[unit_number])
    except _Stopped as stop:
        failure = stop.failure
        roll_back(connection)
    return Trace(tracer.effects, tracer.held, failure)


class _Tracer:
    def __init__(self, connection: Connection, url: Url, role: str, options: Options) -> None:
        self._url = url
        self._connection = connection
        self._run = Run(connection, server_of(connection), role, options, silent, Watcher(connection), new_id())
        self.effects: dict[Address, Effect] = {}
        self.held: dict[Address, tuple[Lock, ...]] = {}

    def run(self, task: Task, place: tuple[int, int], unit: Unit) -> None:
        if unit.is_atomic or not _runs_alone(unit.statements[0]):
            self._inside(task, place, unit)
        else:
            self._alone(task, (*place, 0), unit)

    def _inside(self, task: Task, place: tuple[int, int], unit: Unit) -> None:
        self._execute(*opening(self._run, task, unit), *(setting.text for setting in unit.settings))
        before = look(self._connection)
        for number, statement in enumerate(unit.statements):
            self._send(task, statement)
            after = look(self._connection)
            self._note((*place, number), before, after, statement)
            before = after
        end = unit.statements[-1].offset if unit.statements else task.section.start
        self._send(task, Statement("COMMIT", end, (), ("COMMIT",)))  # what is deferred speaks here

    def _alone(self, task: Task, place: Address, unit: Unit) -> None:
        statement = unit.statements[0]
        if _BEYOND & set(statement.words[1:2]):
            self.effects[place] = _NOT_RUN
            return
        ever = timedelta()
        run = self._run
        free = settings(self._connection, run.server, run.role, run.options, lock=ever, statement=ever, local=False)
        self._execute(*free, *(setting.text for setting in unit.settings))
        if statement.starts_with(*_COMMITTING):
            self._send(task, statement)
            self.effects[place] = _NOT_SEEN
            return
        before = relations(self._connection)
        with Gate(self._url, self._connection.info.backend_pid, statement) as gate:
            self._send(task, statement, gate.look)
        after = Look(relations(self._connection), gate.seen, {})
        self._note(place, Look(before, frozenset(), {}), after, statement)

    def _note(self, place: Address, before: Look, after: Look, statement: Statement) -> None:
        self.effects[place] = difference(before, after, statement.words[0] if statement.words else "")
        self.held[place] = held(after, before)

    def _execute(self, *texts: str) -> None:
        for text in texts:
            self._connection.execute(text.encode())

    def _send(self, task: Task, statement: Statement, on_wait: Callable[[], None] | None = None) -> None:
        message = compose((), (statement,), ())
        try:
            send(self._connection, message.text, on_wait)
        except StatementRefused as err:
            raise _Stopped(failure_of(task, message, err, Waiting(self._run.watcher, silent, task.title))) from err


def _runs_alone(statement: Statement) -> bool:
    is_beyond = bool(_BEYOND & set(statement.words[1:2]))
    return is_beyond or cannot_run_in_transaction(statement) or statement.starts_with(*_WHOLE, *_COMMITTING)
