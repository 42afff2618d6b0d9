"""Tell the ledger what was done by hand: a migration counts as applied, or as reverted, and the log keeps why."""

import msgspec

from pgkeel.core.errors import NotFound, UsageError
from pgkeel.core.ids import new_id
from pgkeel.core.telling import Report, silent
from pgkeel.migrations import ledger
from pgkeel.migrations.drift import remember
from pgkeel.migrations.grammar import MigrationFile
from pgkeel.migrations.guard import runner_lock
from pgkeel.migrations.ledger import Entry, Scribe, facts_of, units_checksum
from pgkeel.migrations.options import DEFAULTS, Options
from pgkeel.migrations.source import Source, read
from pgkeel.postgres import Connection

__all__ = ["Mark", "mark"]


class Mark(msgspec.Struct, frozen=True):
    """What was, or under `dry_run` would be, noted.

    Attributes:
        before: Its state until now: `pending`, `applied`, `baseline`, `partial`, `running`.
        after: `applied` or `reverted`.
        is_changed: Whether the ledger said something else.
    """

    source: str
    version: str
    name: str
    before: str
    after: str
    is_changed: bool
    dry_run: bool = False


def mark(
    connection: Connection,
    source: Source,
    version: str,
    *,
    applied: bool,
    reason: str,
    options: Options = DEFAULTS,
    report: Report = silent,
) -> Mark:
    """Record a migration as applied or as reverted; no statement of it is run.

    Args:
        connection: In autocommit, as the owner.
        source: Whose migration.
        version: Which.
        applied: Whether it counts as applied from now on, or as not applied.
        reason: Why; it is kept in the log.
        options: `dry_run`, `search_path`, `wait`.
        report: Told what it waits for.

    Raises:
        NotFound: There is no such migration, or nothing that could be marked so.
        UsageError: There is no reason.
    """
    if not reason.strip():
        raise UsageError("a mark needs its reason", hint='--reason "created by hand during the incident of May 3"')
    file = next((one for one in read(source) if one.version == version), None)
    plan = _plan(source, version, file, ledger.entries(connection).get((source.name, version)), applied=applied)
    if options.dry_run or not plan.is_changed:
        return msgspec.structs.replace(plan, dry_run=options.dry_run)
    with runner_lock(connection, options, report):
        ledger.prepare(connection)
        entry = ledger.entries(connection).get((source.name, version))
        plan = _plan(source, version, file, entry, applied=applied)
        if plan.is_changed:
            _record(connection, source.name, version, file if applied else None, entry, reason, options)
    return plan


def _plan(source: Source, version: str, file: MigrationFile | None, entry: Entry | None, *, applied: bool) -> Mark:
    known = file or entry
    if known is None:
        raise NotFound(f"there is no migration {version} in {source.name}", hint="`pgkeel migrate status` lists them")
    if applied and file is None:
        raise NotFound(f"the file of {version} is gone", hint="put it back: the ledger keeps its Down")
    before = (
        "pending" if entry is None else "partial" if entry.direction == "down" and entry.status == "applied" else entry.status
    )
    is_so = (entry is not None and entry.is_complete) if applied else entry is None
    return Mark(source.name, version, known.name, before, "applied" if applied else "reverted", not is_so)


def _record(
    connection: Connection,
    source: str,
    version: str,
    file: MigrationFile | None,
    entry: Entry | None,
    reason: str,
    options: Options,
) -> None:
    facts = facts_of(file) if file else {"name": entry.name if entry else ""}
    scribe = Scribe(connection, new_id(), source, version, "up" if file else "down", facts)
    units = (len(file.up.units) or 1) if file else 0
    done = units_checksum(file.up.units) if file else ""
    status = "applied" if file else "reverted"
    with connection.transaction():
        connection.execute(scribe.step(status=status, unit=units, event=f"marked {status}", done=done).encode())
        for number, backfill in enumerate(file.backfills if file else (), start=1):
            statement = backfill.statement.text if backfill.statement else None
            connection.execute(scribe.backfill(number, backfill.options, statement).encode())
        scribe.event("reason", units, reason=reason)
    remember(scribe, options.search_path, units)
