"""Take over a project of another tool: its files become ours, and what it has applied counts as applied.

Nothing of the schema is touched, and the tool's own files and ledger stay where they are.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from pgkeel.core.errors import NotFound, Refused, UsageError
from pgkeel.core.ids import new_id
from pgkeel.core.telling import Report, silent
from pgkeel.migrations import ledger
from pgkeel.migrations.create import write_new
from pgkeel.migrations.drift import remember
from pgkeel.migrations.grammar import MigrationFile, parse
from pgkeel.migrations.guard import runner_lock
from pgkeel.migrations.imports.alembic import read_alembic
from pgkeel.migrations.imports.applied import applied
from pgkeel.migrations.imports.files import read_flyway, read_golang_migrate
from pgkeel.migrations.imports.foreign import Body, Foreign, order_versions
from pgkeel.migrations.imports.markers import read_dbmate, read_node_pg_migrate, time_of_digits
from pgkeel.migrations.imports.yoyo import read_yoyo
from pgkeel.migrations.ledger import Scribe, facts_of, units_checksum
from pgkeel.migrations.options import DEFAULTS, Options
from pgkeel.migrations.source import Source, text_of
from pgkeel.postgres import Connection

__all__ = ["TOOLS", "Imported", "convert", "take_over", "write_imported"]

_READERS: dict[str, Callable[[Path], list[Foreign]]] = {
    "alembic": read_alembic,
    "dbmate": read_dbmate,
    "flyway": read_flyway,
    "golang-migrate": read_golang_migrate,
    "node-pg-migrate": read_node_pg_migrate,
    "yoyo": read_yoyo,
}
TOOLS = tuple(_READERS)
_DIGITS = re.compile(r"\d+")


class Imported(msgspec.Struct, frozen=True):
    """One migration that was converted.

    Attributes:
        id: What the other tool's ledger calls it.
        origin: Its file there.
        path: Its file here.
        file: What it holds.
        is_applied: Whether the other tool has applied it to the database that was asked.
    """

    id: str
    origin: str
    path: Path
    file: MigrationFile
    is_applied: bool = False


def convert(tool: str, folder: Path, source: Source) -> tuple[Imported, ...]:
    """Return a tool's migrations as ours, in their order; nothing is written and no database asked.

    Args:
        tool: One of `TOOLS`.
        folder: Where its files are; for Alembic, where `alembic.ini` is.
        source: Where ours go.

    Raises:
        BadMigration: One cannot be converted; the message begins with its file and line.
        NotFound: There is none.
        UsageError: Both folders are one.
    """
    if folder.resolve() == source.folder.resolve():
        hint = "move the other tool's files to another folder first: `git mv migrations old_migrations`"
        raise UsageError(f"{folder} is the folder of pgkeel's own migrations", hint=hint)
    found = _READERS[tool](folder)
    if not found:
        raise NotFound(f"there is no migration of {tool} in {folder}", hint="name the folder that holds them")
    versions = order_versions(_moment(one) for one in found)
    return tuple(_imported(one, version, tool, source) for one, version in zip(found, versions, strict=True))


def _moment(one: Foreign) -> datetime | None:
    digits = _DIGITS.match(one.id)
    return time_of_digits(digits[0]) if digits else None


def _imported(one: Foreign, version: str, tool: str, source: Source) -> Imported:
    name = re.sub(r"[^a-z0-9]+", "_", one.name.lower()).strip("_") or "migration"
    path = source.folder / f"{version}_{name}.sql"
    return Imported(one.id, one.origin, path, parse(_text(one, tool), path.name))


def _text(one: Foreign, tool: str) -> str:
    head = f"-- imported from {tool}: {one.id}\n"
    up = _section("Up", one.up)
    if one.down is None:
        return f"{head}-- pgkeel: irreversible -- {tool} had no way back for it\n{up}"
    return f"{head}{up}\n{_section('Down', one.down)}"


def _section(word: str, body: Body) -> str:
    option = " transaction=none" if body.is_alone else ""
    return f"-- {word} Migration{option}\n{body.text}\n"


def write_imported(found: Sequence[Imported]) -> None:
    """Write the files; one that is there with the same text is left, so that a call that was killed is simply made again.

    Raises:
        Refused: One is there with another text; nothing was written.
    """
    for one in found:
        if one.path.is_file() and text_of(one.path) != one.file.text:
            hint = "delete it, if an earlier import made it; or empty [migrations] directory"
            raise Refused(f"{one.path.name} is there with another text", hint=hint)
    for one in found:
        if not one.path.is_file():
            write_new(one.path, one.file.text)


def take_over(
    connection: Connection,
    tool: str,
    found: Sequence[Imported],
    folder: Path,
    source: Source,
    *,
    table: str | None = None,
    options: Options = DEFAULTS,
    report: Report = silent,
) -> tuple[Imported, ...]:
    """Record as applied what the tool has applied, and return the migrations with `is_applied` set; no statement is run.

    Args:
        connection: To the database that the tool migrated, as the owner.
        tool: One of `TOOLS`.
        found: What `convert` returned.
        folder: The tool's own folder.
        source: Where the files went.
        table: The tool's ledger, where it does not have its usual name.
        options: `dry_run`, `search_path`, `wait`.
        report: Told what it waits for.

    Raises:
        NotFound, Refused: The tool's ledger is not there, is broken, or names what was not converted.
    """
    done = applied(connection, tool, [Foreign(one.id, "", one.origin, Body(""), None) for one in found], folder, table=table)
    shown = tuple(msgspec.structs.replace(one, is_applied=one.id in done) for one in found)
    new = [one for one in shown if one.is_applied]
    if options.dry_run or not new:
        return shown
    with runner_lock(connection, options, report):
        ledger.prepare(connection)
        known = ledger.entries(connection)
        with connection.transaction():
            for one in new:
                if (source.name, one.file.version) not in known:
                    _record(connection, source, one.file, f"{tool} {one.id}")
        remember(Scribe(connection, new_id(), source.name, new[-1].file.version, "up", {}), options.search_path, 0)
    return shown


def _record(connection: Connection, source: Source, file: MigrationFile, origin: str) -> None:
    scribe = Scribe(connection, new_id(), source.name, file.version, "up", facts_of(file))
    units = len(file.up.units) or 1
    step = scribe.step(status="baseline", unit=units, event="imported", done=units_checksum(file.up.units))
    connection.execute(step.encode())
    scribe.event("origin", units, origin=origin)
