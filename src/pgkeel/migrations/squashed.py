"""See a squashed file as applied where all of those that it replaces are."""

from collections.abc import Mapping, Sequence

import msgspec

from pgkeel.core.ids import new_id
from pgkeel.core.telling import counted
from pgkeel.migrations import ledger
from pgkeel.migrations.errors import HalfApplied
from pgkeel.migrations.grammar import MigrationFile
from pgkeel.migrations.ledger import Entry, Key, Scribe, facts_of, units_checksum
from pgkeel.postgres import Connection, load

__all__ = ["SQUASHED", "adopt", "seen"]

SQUASHED = "squashed"  # the name of every file that stands for others

Files = Mapping[str, Sequence[MigrationFile]]


def seen(files: Files, known: Mapping[Key, Entry]) -> dict[Key, Entry]:
    """Return the ledger as it reads once squashed files stand for those that they replace; nothing is written.

    Raises:
        HalfApplied: Only some of the replaced ones are applied: neither the squashed file nor the rest can be run.
    """
    shown = dict(known)
    for source, migrations in files.items():
        for file in migrations:
            if _is_new_to(source, file, shown):
                newest = shown[source, file.version]
                for version in file.replaces:
                    shown.pop((source, version), None)
                shown[newest.key] = _as_file(newest, file)
    return shown


def adopt(connection: Connection, files: Files) -> None:
    """Write into the ledger what `seen` shows, each squashed file in one transaction."""
    known = ledger.entries(connection)
    for source, migrations in files.items():
        for file in migrations:
            if _is_new_to(source, file, known):
                _adopt(connection, source, file)


def _is_new_to(source: str, file: MigrationFile, known: Mapping[Key, Entry]) -> bool:
    entry = known.get((source, file.version))
    done = [known[source, version] for version in file.replaces if (source, version) in known]
    if not done or (entry is not None and entry.name == file.name):
        return False
    covered = max((one.version for one in done if one.name == SQUASHED), default="")
    missing = {version for version in file.replaces if version > covered} - {one.version for one in done}
    if missing or not all(one.is_complete for one in done):
        hint = "bring the old files back from version control, run `pgkeel migrate up`, then put the squashed file in their place"
        raise HalfApplied(
            f"{file.file_name} replaces {counted(len(file.replaces), 'migration')}, {len(done)} of them applied here", hint=hint
        )
    return True


def _as_file(entry: Entry, file: MigrationFile) -> Entry:
    facts = facts_of(file)
    done = units_checksum(file.up.units)
    return msgspec.structs.replace(entry, **facts, done_checksum=done, unit=facts["units"], status="applied", attempt=None)


def _adopt(connection: Connection, source: str, file: MigrationFile) -> None:
    scribe = Scribe(connection, new_id(), source, file.version, "up", facts_of(file))
    units = len(file.up.units) or 1
    step = scribe.step(status="applied", unit=units, event="squashed", done=units_checksum(file.up.units))
    older = [version for version in file.replaces if version != file.version]
    with connection.transaction():
        load(__name__, "forget").run(connection, source=source, versions=older)
        connection.execute(step.encode())
