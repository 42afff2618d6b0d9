"""Carry out one migration, unit by unit, each together with its row in the ledger."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import msgspec
import psycopg

from pgkeel.core import clock
from pgkeel.core.telling import Report
from pgkeel.core.units import format_duration
from pgkeel.migrations.errors import EditedMigration, MigrationFailed
from pgkeel.migrations.grammar import Backfill
from pgkeel.migrations.guard import Watcher
from pgkeel.migrations.ledger import Scribe, units_checksum
from pgkeel.migrations.message import Message, as_role, compose, settings
from pgkeel.migrations.options import Options, Step
from pgkeel.migrations.patience import HINT, Patience, duration, lost, roll_back, try_once
from pgkeel.migrations.plan import Task
from pgkeel.migrations.position import place
from pgkeel.migrations.recovery import refuse_foreign_index, settle
from pgkeel.migrations.source import tenant_of
from pgkeel.migrations.units import Unit, is_concurrent
from pgkeel.migrations.waiting import Waiting
from pgkeel.migrations.wire import StatementRefused, send
from pgkeel.postgres import Connection, Server, describe, identifier

__all__ = ["Ahead", "Run", "carry_out", "opening", "scribe_of", "step_of"]


class Run(msgspec.Struct, frozen=True):
    """What all migrations of a run share.

    Attributes:
        role: Who the session acts as.
        id: Marks the run's rows in the log.
    """

    connection: Connection
    server: Server
    role: str
    options: Options
    report: Report
    watcher: Watcher
    id: UUID


def step_of(task: Task, took: timedelta = timedelta()) -> Step:
    """Return what a caller is told about a task."""
    units = task.units[task.first :]
    return Step(task.source, task.version, task.name, task.direction, len(units), tuple(unit.sql for unit in units), took)


class Ahead:
    """Composes the next atomic unit's message while the server works on the one before; what it says is known from the plan."""

    def __init__(self, run: Run, tasks: Sequence[Task]) -> None:
        """Know what comes, in its order."""
        self._run = run
        self._left = iter([(task, index) for task in tasks for index in _atomic(task)])
        self._made: tuple[Task, int, Message] | None = None

    def message(self, task: Task, index: int) -> Message:
        """Return a unit's message, composed now unless it was ahead of time."""
        if self._made is None:
            self._compose()
        made, self._made = self._made, None
        if made is not None and made[0] is task and made[1] == index:
            return made[2]
        return _composed(self._run, task, index)

    def go_on(self) -> None:
        """Compose the next message; one that cannot be composed says so when its turn comes."""
        if self._made is None:
            with suppress(Exception):
                self._compose()

    def _compose(self) -> None:
        task, index = next(self._left, (None, 0))
        self._made = (task, index, _composed(self._run, task, index)) if task else None


def carry_out(run: Run, task: Task, ahead: Ahead | None = None) -> Step:
    """Run what is left of a migration and return what was done.

    Args:
        run: Where and how.
        task: What.
        ahead: Composes the messages of this task and of those behind it.

    Raises:
        MigrationFailed: The server refused a statement; the units before it are kept and the next run goes on from there.
        MigrationBlocked: Locks could not be had before the deadline.
        Unreachable: The connection was lost; the next run finds out what had been done.
    """
    started = clock.monotonic()
    scribe = scribe_of(run, task)
    if task.first or task.attempt:
        run.report(f"{task.title}: going on after {task.first} of {len(task.units)} units")
    is_settled, ahead = _settle_attempt(run, task), ahead or Ahead(run, (task,))
    for index in range(task.first, len(task.units)):
        unit = task.units[index]
        if unit.is_atomic:
            _send_patiently(run, task, ahead.message(task, index), scribe, index, ahead.go_on)
        else:
            _run_alone(run, task, scribe, index, is_settled=is_settled and index == task.first)
    if task.first >= len(task.units):
        _record(run, _after(run, task, scribe, len(task.units) - 1, None))
    took = timedelta(seconds=clock.monotonic() - started)
    run.report(f"{'applied' if task.direction == 'up' else 'reverted'} {task.title} in {format_duration(took)}")
    return step_of(task, took)


def scribe_of(run: Run, task: Task) -> Scribe:
    """Return who writes the ledger for a task."""
    facts = {
        "name": task.name,
        "checksum": task.checksum,
        "units": len(task.units),
        "down_sql": task.down_sql,
        "irreversible": task.irreversible,
    }
    return Scribe(run.connection, run.id, task.source, task.version, task.direction, facts)


def _settle_attempt(run: Run, task: Task) -> bool:
    if task.attempt is None:
        return False
    has_finished = settle(run.connection, task.attempt, run.report)
    unit = task.units[task.first] if task.first < len(task.units) else None
    is_same = unit is not None and not unit.is_atomic and unit.statements[0].text == task.attempt
    if has_finished and not is_same:
        hint = "put the statement back: it had finished when its runner died"
        raise EditedMigration(f"{task.where} no longer holds what was running: {task.attempt}", hint=hint)
    return has_finished


def _atomic(task: Task) -> Iterator[int]:
    return (index for index in range(task.first, len(task.units)) if task.units[index].is_atomic)


def _composed(run: Run, task: Task, index: int) -> Message:
    unit, after = task.units[index], _after(run, task, scribe_of(run, task), index, None)
    return compose(opening(run, task, unit), (*unit.settings, *unit.statements), after)


def opening(run: Run, task: Task, unit: Unit) -> list[str]:
    """Return the SQL before an atomic unit's statements: its BEGIN and the settings that end with it.

    Units do not wait for the disk one by one: what ends a run does, and with it for all before it. The log keeps their order,
    so that a crash of the server takes the newest units together with their ledger rows, and the next run repeats them
    (PostgreSQL manual, 28.4 Asynchronous Commit).
    """
    lock = duration(task, "lock_timeout", run.options.lock_timeout)
    limit = duration(task, "statement_timeout", timedelta())
    ours = settings(run.connection, run.server, run.role, run.options, lock=lock, statement=limit, local=True)
    return [unit.begin, *ours, "SET LOCAL synchronous_commit = off"]


def _run_alone(run: Run, task: Task, scribe: Scribe, index: int, *, is_settled: bool) -> None:
    unit = task.units[index]
    statement = unit.statements[0]
    started = clock.monotonic()
    if not is_settled:
        if task.attempt is None or index != task.first:
            refuse_foreign_index(run.connection, statement, place(task.where, task.section.text, statement.offset))
        done = units_checksum(task.units[:index])
        begin = scribe.step(status="running", unit=index, event="started", done=done, attempt=statement.text, took=timedelta())
        _record(run, ["BEGIN", as_role(run.connection, run.role, local=True), begin, "COMMIT"])
        lock = timedelta() if is_concurrent(statement) else duration(task, "lock_timeout", run.options.lock_timeout)
        limit = duration(task, "statement_timeout", timedelta())
        before = settings(run.connection, run.server, run.role, run.options, lock=lock, statement=limit, local=False)
        _send_patiently(run, task, compose(before, unit.settings, ()), scribe, index)
        _send_patiently(run, task, compose((), (statement,), ()), scribe, index)
    took = timedelta(seconds=clock.monotonic() - started)
    _record(run, ["BEGIN", *_after(run, task, scribe, index, took)])


def _after(run: Run, task: Task, scribe: Scribe, index: int, took: timedelta | None) -> list[str]:
    """Return the SQL behind a unit's statements: the ledger's rows and the COMMIT."""
    is_last = index + 1 == len(task.units)
    status = ("applied" if task.direction == "up" else "reverted") if is_last else "partial"
    event = status if is_last else "unit"
    done = units_checksum(task.units[: index + 1])
    rows = [scribe.step(status=status, unit=index + 1, event=event, done=done, took=took)]
    if is_last:
        waiting = enumerate(task.backfills, start=1)
        rows += [
            scribe.backfill(number, _placed(run, task, backfill), backfill.statement.text if backfill.statement else None)
            for number, backfill in waiting
        ]
    return [as_role(run.connection, run.role, local=True), *rows, "COMMIT"]


def _placed(run: Run, task: Task, backfill: Backfill) -> dict[str, str]:
    """Return a backfill's options; its table is where the migration ran, whoever runs the backfill."""
    tenant, table = tenant_of(task.source), backfill.options["table"]
    whole = f"{identifier(tenant).as_string(run.connection)}.{table}" if tenant and "." not in table else table
    return {**backfill.options, "table": whole}


def _record(run: Run, texts: list[str]) -> None:
    """Write the ledger by itself, in a transaction of its own."""
    texts = texts if texts[0] == "BEGIN" else ["BEGIN", *texts]
    try:
        send(run.connection, compose(texts, (), ()).text)
    except StatementRefused as err:
        roll_back(run.connection)
        raise MigrationFailed(f"the ledger cannot be written: {describe(err.cause)}", hint=HINT) from err.cause
    except psycopg.OperationalError as err:
        raise lost(err) from err


def _send_patiently(
    run: Run, task: Task, message: Message, scribe: Scribe, index: int, meanwhile: Callable[[], None] | None = None
) -> None:
    """Send a message, again and again while other sessions hold what it needs and the deadline allows."""
    patience, waiting = Patience(task, run.options), Waiting(run.watcher, run.report, task.title)
    while (failure := try_once(run.connection, task, message, waiting, meanwhile)) is not None:
        again = patience.allows(failure)
        scribe.event("retried" if again else "failed", index, **{"message": failure.message, **failure.data})
        if not again:
            raise failure
        patience.pause()
