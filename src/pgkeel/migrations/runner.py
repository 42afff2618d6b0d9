"""Apply and revert migrations: read everything, plan, refuse, and only then act."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext

import msgspec
from psycopg import pq

from pgkeel.core.errors import NotFound
from pgkeel.core.ids import new_id
from pgkeel.core.telling import Report, silent
from pgkeel.migrations import ledger
from pgkeel.migrations.backfill.empty import finish_empty
from pgkeel.migrations.drift import remember
from pgkeel.migrations.execute import Ahead, Run, carry_out, scribe_of, step_of
from pgkeel.migrations.guard import Watcher, runner_lock, session_role
from pgkeel.migrations.ledger import Key, Scribe
from pgkeel.migrations.loss import require_nothing_lost
from pgkeel.migrations.message import as_role
from pgkeel.migrations.options import DEFAULTS, Options, Outcome, Step
from pgkeel.migrations.ownership import require_own_tables
from pgkeel.migrations.plan import Files, Task, plan_down, plan_up, require_backfills
from pgkeel.migrations.source import Source, read
from pgkeel.migrations.squashed import adopt, seen
from pgkeel.migrations.syntax import require_syntax
from pgkeel.postgres import Connection, load, server_of

__all__ = ["down", "files_of", "redo", "running", "tasks_for_up", "up"]


def up(connection: Connection, sources: Sequence[Source], options: Options = DEFAULTS, report: Report = silent) -> Outcome:
    """Apply what is pending, source after source, and finish what an earlier run left half done.

    Args:
        connection: In autocommit, acting as the owner of the objects; its session settings are set for each unit and reset.
        sources: In the order in which they run.
        options: How; `to` ends with that version.
        report: Told each step, and what a run waits for.

    Raises:
        BadMigration: A file cannot be run; nothing was.
        Refused: It would not be safe (see `migrations.errors`).
        MigrationFailed: The server refused a statement.
        Unreachable: The connection was lost.
    """
    files = files_of(sources)
    if options.dry_run:
        return _planned(tasks_for_up(connection, files, options))
    with running(connection, options, report) as run:
        adopt(connection, files)
        finish_empty(connection)
        return _carry_out(run, tasks_for_up(connection, files, options))


def down(
    connection: Connection, sources: Sequence[Source], options: Options = DEFAULTS, report: Report = silent, *, count: int = 1
) -> Outcome:
    """Revert the newest `count` migrations of the sources, or everything newer than `options.to`.

    A migration whose file is gone or was changed is reverted by the Down that was stored when it was applied.

    Raises:
        DataLoss: Tables or columns with rows would go; nothing was reverted. `options.allow_data_loss` allows it.
        Irreversible: One has no Down; nothing was reverted.
        HalfApplied: One was never completely applied.
        BadMigration, MigrationFailed, Unreachable: As for `up`.
    """
    files = files_of(sources)
    if options.dry_run:
        return _planned(plan_down(files, seen(files, ledger.entries(connection)), options, count))
    with running(connection, options, report) as run:
        adopt(connection, files)
        tasks = plan_down(files, ledger.entries(connection), options, count)
        if tasks and not options.allow_data_loss:
            require_nothing_lost(run, tasks)
        return _carry_out(run, tasks)


def redo(connection: Connection, sources: Sequence[Source], options: Options = DEFAULTS, report: Report = silent) -> Outcome:
    """Revert the newest migration of the last source that has one, and apply its file as it is now.

    Killed in between, the next one applies what was reverted and reverts nothing more.

    Raises:
        NotFound: Nothing is applied, or its file is gone.
        Refused, MigrationFailed, Unreachable: As for `down` and `up`.
    """
    files, plain = files_of(sources), msgspec.structs.replace(options, to=None)
    with nullcontext() if options.dry_run else runner_lock(connection, options, report):
        begun = _interrupted(connection, files)
        if begun is not None:
            only = [source for source in sources if source.name == begun[0]]
            return up(connection, only, msgspec.structs.replace(options, to=begun[1]), report)
        newest = _newest(connection, files)
        if options.dry_run:
            return _planned((newest, *_again(connection, files, newest, plain)))
        only = [source for source in sources if source.name == newest.source]
        with Watcher(connection) as watcher:
            session_role(connection, watcher)
        Scribe(connection, new_id(), newest.source, newest.version, "down", {}).event("redo", 0)
        reverted = down(connection, only, plain, report)
        applied = up(connection, only, msgspec.structs.replace(options, to=newest.version), report)
    return Outcome((*reverted.steps, *applied.steps))


def _newest(connection: Connection, files: Files) -> Task:
    newest = next(iter(plan_down(files, seen(files, ledger.entries(connection)), Options(), 1)), None)
    if newest is None:
        raise NotFound(f"no migration of {' or '.join(files)} is applied", hint="`pgkeel migrate up` applies what is pending")
    if newest.version not in {file.version for file in files[newest.source]}:
        raise NotFound(f"the file of {newest.title} is gone", hint="`pgkeel migrate down` reverts it without")
    return newest


def _interrupted(connection: Connection, files: Files) -> Key | None:
    """Return what an earlier redo has reverted and not applied again, where its file is there."""
    query = load(__name__, "interrupted_redo")
    row = query.row(connection, sources=list(files)) if ledger.exists(connection) else None
    there = {(source, file.version) for source, some in files.items() for file in some}
    return (row["source"], row["version"]) if row is not None and (row["source"], row["version"]) in there else None


def _again(connection: Connection, files: Files, newest: Task, options: Options) -> tuple[Task, ...]:
    """Return what applies the newest migration again once it is reverted."""
    known = {key: entry for key, entry in ledger.entries(connection).items() if key != (newest.source, newest.version)}
    only = {newest.source: [file for file in files[newest.source] if file.version == newest.version]}
    return plan_up(only, known, ledger.unfinished_backfills(connection), options)


def _carry_out(run: Run, tasks: Sequence[Task]) -> Outcome:
    ahead = Ahead(run, tasks)
    steps = tuple(_carry_out_one(run, task, ahead) for task in tasks)
    if tasks:
        remember(scribe_of(run, tasks[-1]), run.options.search_path, len(tasks[-1].units))
    return Outcome(steps)


def _carry_out_one(run: Run, task: Task, ahead: Ahead) -> Step:
    if task.needs:  # of a file that this very run may have applied
        require_backfills(task, ledger.unfinished_backfills(run.connection))
    step = carry_out(run, task, ahead)
    if task.backfills:
        finish_empty(run.connection)
    return step


def files_of(sources: Sequence[Source]) -> Files:
    """Return the files of each source.

    Raises:
        BadMigration: One cannot be read or run.
    """
    return {source.name: read(source) for source in sources}


def tasks_for_up(connection: Connection, files: Files, options: Options) -> tuple[Task, ...]:
    """Return what `up` has to do; nothing is written.

    Raises:
        BadMigration, Refused: As for `up`.
    """
    known = seen(files, ledger.entries(connection))
    tasks = plan_up(files, known, ledger.unfinished_backfills(connection), options)
    require_syntax(connection, tasks)
    if options.adopt_nothing:
        require_own_tables(connection, tasks, files, known, options.search_path[0])
    return tasks


def _planned(tasks: Sequence[Task]) -> Outcome:
    return Outcome(tuple(step_of(task) for task in tasks), dry_run=True)


@contextmanager
def running(connection: Connection, options: Options, report: Report) -> Iterator[Run]:
    """Hold the runner's lock and yield what the migrations of a run share; the session is given back as it was."""
    with Watcher(connection) as watcher:
        role = session_role(connection, watcher)
        with runner_lock(connection, options, report), _given_back(connection, role):
            ledger.prepare(connection)
            yield Run(connection, server_of(connection), role, options, report, watcher, new_id())


@contextmanager
def _given_back(connection: Connection, role: str) -> Iterator[None]:
    """Leave the caller's session without the settings that units made in it."""
    try:
        yield
    finally:
        if connection.pgconn.status == pq.ConnStatus.OK:
            connection.execute(f"RESET ALL; {as_role(connection, role)}".encode())
