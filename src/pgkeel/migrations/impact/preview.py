"""What `up` would do, unit by unit and statement by statement: locks, waits, rewrites, reads, and whom they hold up."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from pgkeel.core.errors import KeelError, NotFound
from pgkeel.core.units import format_duration
from pgkeel.migrations import ledger
from pgkeel.migrations.clone import Original, cloned
from pgkeel.migrations.grammar import MigrationFile
from pgkeel.migrations.impact.compare import disagreements
from pgkeel.migrations.impact.effect import Effect
from pgkeel.migrations.impact.static import Address, foresee
from pgkeel.migrations.impact.trace import Trace, trace
from pgkeel.migrations.impact.weigh import Touched, weigh_unit
from pgkeel.migrations.lint.target import Target, ask
from pgkeel.migrations.options import Options
from pgkeel.migrations.patience import duration
from pgkeel.migrations.plan import Files, Task
from pgkeel.migrations.runner import files_of, tasks_for_up
from pgkeel.migrations.scratch import Scratch
from pgkeel.migrations.source import Source
from pgkeel.migrations.squashed import seen as seen_ledger
from pgkeel.migrations.statement import Statement
from pgkeel.migrations.units import Unit, is_concurrent
from pgkeel.postgres import Connection, load

__all__ = ["BackfillPreview", "MigrationPreview", "Preview", "StatementPreview", "UnitPreview", "preview", "rehearse"]


T = TypeVar("T")


class StatementPreview(msgspec.Struct, frozen=True):
    """One statement.

    Attributes:
        line: Where it begins in its file, from 1.
        sql: Its text.
        tables: What it locks, and what that means; also what earlier statements of the transaction keep locked meanwhile.
        is_complete: Whether nothing of it is hidden, in a routine for example.
        note: What to know beside it.
        disagreements: Where its text promised something else than the server did; only after a trace.
    """

    line: int
    sql: str
    tables: tuple[Touched, ...]
    is_complete: bool
    note: str
    disagreements: tuple[str, ...] = ()


class UnitPreview(msgspec.Struct, frozen=True):
    """One unit.

    Attributes:
        number: From 1.
        is_atomic: Whether it runs in a transaction; a failure leaves nothing of it behind.
        lock_timeout_s: How long each try waits for a lock at most; None waits without end.
        deadline_s: For how long it is tried again.
        waits: The same in words.
    """

    number: int
    is_atomic: bool
    lock_timeout_s: float | None
    deadline_s: float
    waits: str
    statements: tuple[StatementPreview, ...]


class BackfillPreview(msgspec.Struct, frozen=True):
    """A backfill that waits to be run after the migration.

    Attributes:
        rows: How many the planner believes are in its table; None where the table is not there yet.
    """

    table: str
    rows: int | None
    batch: str | None


class MigrationPreview(msgspec.Struct, frozen=True):
    """One migration.

    Attributes:
        direction: `up`; `down` where an interrupted revert is finished first.
        done: How many units an earlier run has done already.
        units: What is left.
    """

    source: str
    version: str
    name: str
    file: str
    direction: str
    done: int
    units: tuple[UnitPreview, ...]
    backfills: tuple[BackfillPreview, ...]


class Preview(msgspec.Struct, frozen=True):
    """All of it.

    Attributes:
        migrations: In the order in which they would run.
        is_traced: Whether locks were seen on a server, or foreseen from the text.
        oldest: The oldest transaction of the database, which index builds beside traffic wait for: pid, application, seconds.
        notes: What could not be told, and why.
        failure: Why the trace stopped, or None.
    """

    migrations: tuple[MigrationPreview, ...]
    is_traced: bool
    oldest: Mapping[str, object] | None
    notes: tuple[str, ...] = ()
    failure: KeelError | None = None

    @property
    def stops(self) -> tuple[Touched, ...]:
        """The tables whose readers or writers would wait for as long as rows are read or written."""
        statements = (one for migration in self.migrations for unit in migration.units for one in unit.statements)
        return tuple(table for one in statements for table in one.tables if table.weight == "stops")


class _Known(msgspec.Struct, frozen=True):
    tasks: tuple[Task, ...]
    target: Target
    expected: Mapping[Address, Effect]
    oldest: Mapping[str, object] | None
    notes: tuple[str, ...]
    options: Options


def preview(connection: Connection, sources: Sequence[Source], options: Options) -> Preview:
    """Return what `up` would do as far as the files' text tells; nothing is written, no lock is taken.

    Raises:
        BadMigration, Refused: As `up` would.
    """
    known = _known(connection, sources, options)
    return Preview(tuple(_migrations(known, known.expected, None)), False, known.oldest, known.notes)


def rehearse(
    connection: Connection, sources: Sequence[Source], options: Options, *, original: Original, scratch: Scratch
) -> Preview:
    """Return what `up` would do as a server does it: the pending files run on a copy of the schema.

    Args:
        connection: To the database; only read.
        sources: As for `up`.
        options: As for `up`.
        original: Of the same database; see `migrations.clone.read_original`.
        scratch: Gives a database on a server that nobody uses.

    Raises:
        BadMigration, Refused: As `up` would.
    """
    known = _known(connection, sources, options)
    with cloned(scratch, original) as copy:
        seen = trace(copy.connection, copy.url, copy.role, known.tasks, options)
    return Preview(tuple(_migrations(known, seen.effects, seen)), True, known.oldest, known.notes, seen.failure)


def _known(connection: Connection, sources: Sequence[Source], options: Options) -> _Known:
    files, home = files_of(sources), options.search_path[0]
    tasks = tasks_for_up(connection, files, options)
    target = Target(dict(_as_seen_from(home, ask(connection).tables)))
    rows = {row["name"]: row["table"] for row in load(__name__, "indexes").rows(connection)}
    indexes = {name: table.removeprefix(f"{home}.") for name, table in _as_seen_from(home, rows)}
    notes: tuple[str, ...] = ()
    try:
        expected = foresee(tasks, _applied(connection, files), target, indexes)
    except NotFound as err:
        expected, notes = {}, (f"what the statements lock is not known from their text: {err.message}; {err.hint}",)
    return _Known(tasks, target, expected, load(__name__, "oldest").row(connection), notes, options)


def _as_seen_from(schema: str, named: Mapping[str, T]) -> Iterator[tuple[str, T]]:
    """Yield what statements name in a schema: its own tables without their schema, as those of `public` are elsewhere."""
    for name, value in named.items():
        if schema == "public" or "." in name:
            yield name.removeprefix(f"{schema}."), value


def _applied(connection: Connection, files: Files) -> list[MigrationFile]:
    entries = seen_ledger(files, ledger.entries(connection))
    done = {key for key, entry in entries.items() if entry.is_complete}
    return [file for source, some in files.items() for file in some if (source, file.version) in done]


def _migrations(known: _Known, effects: Mapping[Address, Effect], seen: Trace | None) -> Iterator[MigrationPreview]:
    for number, task in enumerate(known.tasks):
        units = tuple(_unit(known, (number, place), effects, seen) for place in range(task.first, len(task.units)))
        yield MigrationPreview(
            task.source,
            task.version,
            task.name,
            task.where,
            task.direction,
            task.first,
            units,
            tuple(_backfill(backfill.options, known.target) for backfill in task.backfills),
        )


def _backfill(options: Mapping[str, str], target: Target) -> BackfillPreview:
    table = options["table"].removeprefix("public.")
    found = target.tables.get(table)
    return BackfillPreview(table, max(found.rows, 0) if found else None, options.get("batch"))


def _unit(known: _Known, place: tuple[int, int], effects: Mapping[Address, Effect], seen: Trace | None) -> UnitPreview:
    task = known.tasks[place[0]]
    unit = task.units[place[1]]
    addresses = [(*place, number) for number in range(len(unit.statements))]
    unknown = Effect(is_complete=False, note="" if seen is None else "it was not reached")
    touched = weigh_unit([effects.get(address, unknown) for address in addresses], known.target)
    rows = zip(addresses, unit.statements, touched, strict=True)
    statements = tuple(_statement(known, task, *row, effects.get(row[0], unknown), seen) for row in rows)
    limit, deadline = _limit(task, unit, known.options), duration(task, "deadline", known.options.deadline).total_seconds()
    return UnitPreview(place[1] + 1, unit.is_atomic, limit, deadline, _waits(unit, task, known), statements)


def _statement(
    known: _Known,
    task: Task,
    place: Address,
    statement: Statement,
    touched: tuple[Touched, ...],
    effect: Effect,
    seen: Trace | None,
) -> StatementPreview:
    line = task.section.text.count("\n", 0, statement.offset) + 1
    differing: tuple[str, ...] = ()
    if seen is not None and place in seen.effects and place in known.expected:
        new = {table.table for table in touched if table.is_new}
        expected = known.expected[place]
        new |= {lock.table for lock in expected.locks if lock.table not in known.target.tables}
        differing = disagreements(expected, effect, seen.held.get(place, ()), new)
    return StatementPreview(line, statement.text, touched, effect.is_complete, effect.note, differing)


def _limit(task: Task, unit: Unit, options: Options) -> float | None:
    if not unit.is_atomic and is_concurrent(unit.statements[0]):
        return None
    return duration(task, "lock_timeout", options.lock_timeout).total_seconds()


def _waits(unit: Unit, task: Task, known: _Known) -> str:
    if not unit.is_atomic and is_concurrent(unit.statements[0]):
        old = known.oldest
        now = (
            f"; the oldest is {old['seconds']:.0f} s old (pid {old['pid']}, {old['application']})"
            if old
            else "; none is open now"
        )
        return f"for every transaction that is open when it starts, without a limit{now}"
    limit = format_duration(duration(task, "lock_timeout", known.options.lock_timeout))
    ends = format_duration(duration(task, "deadline", known.options.deadline))
    return f"for a lock at most {limit} a try, tries for {ends}"
