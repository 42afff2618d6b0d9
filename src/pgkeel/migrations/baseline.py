"""Take over a database that was made without the ledger: record migrations as applied without running them."""

from collections.abc import Sequence

import msgspec

from pgkeel.core.errors import NotFound, Refused
from pgkeel.core.ids import new_id
from pgkeel.core.telling import Report, silent
from pgkeel.migrations import ledger
from pgkeel.migrations.drift import drift_between, remember
from pgkeel.migrations.grammar import MigrationFile
from pgkeel.migrations.guard import runner_lock
from pgkeel.migrations.ledger import Scribe, facts_of, units_checksum
from pgkeel.migrations.options import DEFAULTS, Options
from pgkeel.migrations.scratch import Scratch, by_files, filled
from pgkeel.migrations.source import PGKEEL, Source, read
from pgkeel.postgres import Connection
from pgkeel.postgres.catalog import Difference, snapshot

__all__ = ["Baseline", "SchemaDiffers", "baseline"]


class SchemaDiffers(Refused):
    """The database does not look as the migrations would make it."""

    code = "schema_differs"


class Baseline(msgspec.Struct, frozen=True):
    """What was, or under `dry_run` would be, recorded.

    Attributes:
        recorded: `source version_name`, in order; those that the ledger knew already are not among them.
        differences: Where database and files disagree, left the files; recorded all the same when a reason was given.
    """

    recorded: tuple[str, ...]
    differences: tuple[Difference, ...]
    dry_run: bool = False


def baseline(
    connection: Connection,
    sources: Sequence[Source],
    version: str,
    *,
    source: str = "app",
    scratch: Scratch,
    reason: str = "",
    options: Options = DEFAULTS,
    report: Report = silent,
) -> Baseline:
    """Record the migrations of a source up to a version as applied.

    Args:
        connection: To the database, as the owner of its objects.
        sources: All sources, in their order.
        version: The newest that the database has.
        source: Whose version it is.
        scratch: Gives a database in which the files are really run, to compare.
        reason: Why to record although the schemas differ; it is kept in the log.
        options: `dry_run`, `search_path`, `wait`.
        report: Told what it waits for.

    Raises:
        NotFound: There is no such migration.
        SchemaDiffers: The database does not look as those migrations make it, and no reason is given.
    """
    files = _files(sources, source, version)
    known = {name for name, _ in ledger.entries(connection)} | {PGKEEL.name}
    newest = {one.name: read(one)[-1].version for one in sources if one.name in known and read(one)} | {source: version}
    schemas = options.search_path
    with filled(scratch, by_files(sources, to=newest), like=connection, schemas=schemas) as built:
        expected = snapshot(built, schemas=schemas)
    drift = drift_between(expected, snapshot(connection, schemas=schemas))
    if drift and not reason:
        shown = "; ".join(map(str, drift[:3])) + ("; …" if len(drift) > 3 else "")
        hint = 'apply what is missing by hand, or record it all the same with --force "why"'
        data = {"differences": [str(one) for one in drift]}
        raise SchemaDiffers(
            f"the database differs from the migrations up to {version} in {len(drift)}: {shown}", hint=hint, data=data
        )
    if options.dry_run:
        return Baseline(_titles(source, _unknown(connection, source, files)), drift, dry_run=True)
    with runner_lock(connection, options, report):
        ledger.prepare(connection)
        recorded = _titles(source, _unknown(connection, source, files))
        with connection.transaction():
            _record(connection, source, files, reason, options)
    return Baseline(recorded, drift)


def _files(sources: Sequence[Source], source: str, version: str) -> tuple[MigrationFile, ...]:
    found = next((one for one in sources if one.name == source), None)
    if found is None:
        raise NotFound(f"there is no source {source}", hint=f"the sources are {', '.join(one.name for one in sources)}")
    files = tuple(file for file in read(found) if file.version <= version)
    if version not in {file.version for file in files}:
        raise NotFound(f"there is no migration {version} in {source}", hint="`pgkeel migrate status` lists them")
    return files


def _unknown(connection: Connection, source: str, files: Sequence[MigrationFile]) -> tuple[MigrationFile, ...]:
    known = ledger.entries(connection)
    return tuple(file for file in files if (source, file.version) not in known)


def _titles(source: str, files: Sequence[MigrationFile]) -> tuple[str, ...]:
    return tuple(f"{source} {file.version}_{file.name}" for file in files)


def _record(connection: Connection, source: str, files: Sequence[MigrationFile], reason: str, options: Options) -> None:
    run = new_id()
    for file in _unknown(connection, source, files):
        scribe = Scribe(connection, run, source, file.version, "up", facts_of(file))
        units = int(str(scribe.facts["units"]))
        step = scribe.step(status="baseline", unit=units, event="baseline", done=units_checksum(file.up.units))
        connection.execute(step.encode())
        if reason:
            scribe.event("forced", units, reason=reason)
    newest = files[-1]
    remember(Scribe(connection, run, source, newest.version, "up", {}), options.search_path, len(newest.up.units))
