"""Decide what a run has to do, from the files and the ledger alone; nothing here touches a database."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from pgkeel.core.errors import NotFound, UsageError
from pgkeel.migrations.errors import BackfillMissing, EditedMigration, HalfApplied, Irreversible, OutOfOrder
from pgkeel.migrations.grammar import Backfill, MigrationFile, Section, parse_section
from pgkeel.migrations.ledger import Entry, Key, units_checksum
from pgkeel.migrations.options import Options
from pgkeel.migrations.units import Unit

__all__ = ["Files", "Task", "plan_down", "plan_up", "require_backfills"]

Files = Mapping[str, Sequence[MigrationFile]]


class Task(msgspec.Struct, frozen=True):
    """One migration to apply or revert, from a unit on.

    Attributes:
        where: The file as errors name it.
        direction: `up` or `down`.
        section: What runs.
        first: How many of its units are done already.
        attempt: The statement outside a transaction that an earlier run began and may have finished.
        backfills: What waits for `migrate backfill` afterwards.
        needs: The versions whose backfills must have finished before it runs.
    """

    source: str
    version: str
    name: str
    where: str
    direction: str
    section: Section
    checksum: str
    down_sql: str | None
    irreversible: str
    first: int = 0
    attempt: str | None = None
    backfills: tuple[Backfill, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def units(self) -> tuple[Unit, ...]:
        """All units; a section without a statement is one empty unit, so that the ledger has something to be written with."""
        return self.section.units or (Unit(is_atomic=True, statements=()),)

    @property
    def title(self) -> str:
        """How a person calls it."""
        return f"{self.source} {self.version}_{self.name}"


def plan_up(files: Files, ledger: Mapping[Key, Entry], unfinished: frozenset[Key], options: Options) -> tuple[Task, ...]:
    """Return what is to be applied, sources in their order, each from its oldest.

    Raises:
        EditedMigration: An applied file was changed.
        OutOfOrder: A pending file is older than an applied one.
        HalfApplied: A migration stopped half-way and its file is gone.
        BackfillMissing: A pending file needs a backfill that has not finished.
        NotFound: `options.to` is no version of a file.
    """
    last = _source_of(files, options.to)
    tasks: list[Task] = []
    for source, migrations in files.items():
        known = {version: entry for (name, version), entry in ledger.items() if name == source}
        tasks += _finish_lost(source, migrations, known)
        wanted = [file for file in migrations if source != last or file.version <= str(options.to)]
        for file in wanted:
            tasks += _up_tasks(source, file, known, options)
        if source == last:
            break
    for task in tasks:
        require_backfills(task, unfinished)
    return tuple(tasks)


def plan_down(files: Files, ledger: Mapping[Key, Entry], options: Options, count: int) -> tuple[Task, ...]:
    """Return what is to be reverted, the newest first, the last source first.

    Raises:
        Irreversible: One of them has no Down.
        HalfApplied: One of them was never completely applied.
        NotFound: `options.to` is not applied.
        UsageError: `options.to` stands with several sources.
    """
    applied = [
        entry
        for source in reversed(list(files))
        for entry in sorted(_of_source(ledger, source), key=lambda entry: entry.version, reverse=True)
    ]
    chosen = applied[:count] if options.to is None else _newer_than(applied, list(files), options.to)
    by_key = {(source, file.version): file for source, migrations in files.items() for file in migrations}
    return tuple(_down_task(entry, by_key.get(entry.key)) for entry in chosen)


def _of_source(ledger: Mapping[Key, Entry], source: str) -> Iterator[Entry]:
    return (entry for entry in ledger.values() if entry.source == source)


def _newer_than(applied: Sequence[Entry], sources: Sequence[str], version: str) -> list[Entry]:
    if len(sources) != 1:
        raise UsageError("down --to needs one source: versions of different sources have no order", hint="add --source app")
    if version.strip("0") and version not in {entry.version for entry in applied}:
        raise NotFound(f"{version} is not applied in {sources[0]}", hint="`pgkeel migrate status` lists what is; 0 reverts all")
    return [entry for entry in applied if not version.strip("0") or entry.version > version]


def _source_of(files: Files, version: str | None) -> str | None:
    if version is None:
        return None
    found = [source for source, migrations in files.items() if any(file.version == version for file in migrations)]
    if len(found) > 1:
        raise UsageError(f"{version} is in {' and '.join(found)}", hint=f"add --source {found[-1]}")
    if not found:
        raise NotFound(f"there is no migration {version}", hint="`pgkeel migrate status` lists them")
    return found[0]


def _finish_lost(source: str, migrations: Sequence[MigrationFile], known: Mapping[str, Entry]) -> Iterator[Task]:
    there = {file.version for file in migrations}
    for version, entry in known.items():
        if version in there or entry.is_complete:
            continue
        if entry.direction == "up":
            hint = "put the file back and run `pgkeel migrate up`: it goes on there; `pgkeel migrate repair` shows another way"
            raise HalfApplied(f"{source} {version}_{entry.name} is half applied and its file is gone", hint=hint)
        yield _down_task(entry, None)


def _up_tasks(source: str, file: MigrationFile, known: Mapping[str, Entry], options: Options) -> Iterator[Task]:
    entry = known.get(file.version)
    if entry is None:
        _require_order(source, file, known, options)
        yield _up_task(source, file)
    elif entry.direction == "down":
        yield _down_task(entry, file)
        yield _up_task(source, file)
    elif entry.is_complete:
        if entry.checksum != file.checksum:
            raise _edited(file)
    else:
        if units_checksum(file.up.units[: entry.unit]) != entry.done_checksum:
            raise _edited(file)
        yield msgspec.structs.replace(_up_task(source, file), first=entry.unit, attempt=entry.attempt)


def _up_task(source: str, file: MigrationFile) -> Task:
    stored = file.down.sql if file.down else None
    return Task(
        source,
        file.version,
        file.name,
        file.file_name,
        "up",
        file.up,
        file.checksum,
        stored,
        file.irreversible,
        backfills=file.backfills,
        needs=file.needs,
    )


def _down_task(entry: Entry, file: MigrationFile | None) -> Task:
    title = f"{entry.source} {entry.version}_{entry.name}"
    if not entry.is_complete and entry.direction == "up":
        hint = "run `pgkeel migrate up` to finish it; what is not done yet may be corrected in the file"
        raise HalfApplied(f"{title} is half applied ({entry.unit} of {entry.units} units)", hint=hint)
    if entry.down_sql is None:
        reason = f": {entry.irreversible}" if entry.irreversible else ""
        raise Irreversible(f"{title} cannot be reverted{reason}", hint="write a new migration that undoes it")
    is_same = file is not None and file.down is not None and file.down.sql == entry.down_sql
    where = file.file_name if is_same and file else f"{entry.version}_{entry.name}.sql (the Down stored when it was applied)"
    section = file.down if is_same and file and file.down else parse_section(entry.down_sql, where)
    first = entry.unit if entry.direction == "down" else 0
    attempt = entry.attempt if entry.direction == "down" else None
    return Task(
        entry.source,
        entry.version,
        entry.name,
        where,
        "down",
        section,
        entry.checksum,
        entry.down_sql,
        "",
        first,
        attempt,
    )


def _require_order(source: str, file: MigrationFile, known: Mapping[str, Entry], options: Options) -> None:
    newest = max(known, default="")
    if file.version < newest and not options.allow_out_of_order:
        hint = (
            "give it a later version (`pgkeel migrate new` makes one), or add --allow-out-of-order when the order does not matter"
        )
        raise OutOfOrder(f"{file.file_name} is older than {source} {newest}_{known[newest].name}, which is applied", hint=hint)


def _edited(file: MigrationFile) -> EditedMigration:
    hint = (
        "put the applied text back and write a new migration; while it is yours alone, `pgkeel migrate redo` reverts and applies"
    )
    return EditedMigration(f"{file.file_name} was changed after it was applied", hint=hint)


def require_backfills(task: Task, unfinished: frozenset[Key]) -> None:
    """Refuse a migration that needs a backfill which has not finished.

    Raises:
        BackfillMissing: And says which.
    """
    for version in task.needs:
        if (task.source, version) in unfinished:
            hint = f"run `pgkeel migrate backfill run {version}` first"
            raise BackfillMissing(f"{task.where} needs the backfill of {version}, which has not finished", hint=hint)
