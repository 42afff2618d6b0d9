"""Put old migrations into one file, so that a folder of years is short again, and a new database comes out the same.

The file holds the old units in their order, not a dump: rows that migrations insert are kept, and nothing is guessed.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from pgkeel.core.errors import NotFound, UsageError
from pgkeel.migrations.errors import BadMigration
from pgkeel.migrations.grammar import MigrationFile, Section, parse
from pgkeel.migrations.source import Source, read, text_of
from pgkeel.migrations.squashed import SQUASHED

__all__ = ["Squash", "plan_squash", "write_squash"]


class Squash(msgspec.Struct, frozen=True):
    """A file that replaces others.

    Attributes:
        path: Where it goes.
        replaced: The files that it replaces, in order.
        text: What it holds.
    """

    path: Path
    replaced: tuple[Path, ...]
    text: str


def plan_squash(source: Source, version: str) -> Squash:
    """Return the file that replaces all migrations of a source up to a version.

    Raises:
        NotFound: There is no such migration.
        UsageError: It is the only one, or one of them cannot be put into a file with others.
    """
    unfinished = _unfinished(source, version)
    if unfinished.is_file():
        return _rest_of(source, version, text_of(unfinished))
    files = [file for file in read(source) if file.version <= version]
    if version not in {file.version for file in files}:
        raise NotFound(f"there is no migration {version} in {source.name}", hint="`pgkeel migrate status` lists them")
    if len(files) < 2:
        raise UsageError(f"{version} is the oldest migration: there is nothing to squash", hint="name a later version")
    for file in files:
        _require_plain(file)
    text = _text(files)
    return _rest_of(source, version, text)


def write_squash(squash: Squash, source: Source, version: str) -> str:
    """Put the new file into the place of the old ones and return its path; after a `kill -9` the same call finishes it.

    The new file is complete, under a hidden name, before the first old one goes, and takes its name when the last one is gone.
    """
    unfinished = _unfinished(source, version)
    if not unfinished.is_file():
        part = unfinished.with_suffix(".part")
        part.write_text(squash.text, encoding="utf-8")
        part.rename(unfinished)
    for path in squash.replaced:
        path.unlink(missing_ok=True)
    unfinished.rename(squash.path)
    return str(squash.path)


def _unfinished(source: Source, version: str) -> Path:
    return source.folder / f".{version}_{SQUASHED}.sql"


def _rest_of(source: Source, version: str, text: str) -> Squash:
    path = source.folder / f"{version}_{SQUASHED}.sql"
    replaced = parse(text, path.name).replaces
    old = (found for one in replaced for found in sorted(source.folder.glob(f"{one}_*.sql")))
    return Squash(path, tuple(old), text)


def _require_plain(file: MigrationFile) -> None:
    sections = [section for section in (file.up, file.down) if section is not None]
    reason = ""
    if file.backfills:
        reason = "it has a Backfill section"
    elif any(section.options.get("transaction") == "none" for section in sections):
        reason = "it says transaction=none"
    elif any(unit.settings for section in sections for unit in section.units):
        reason = "it has a SET outside of a transaction, which would hold for the files after it"
    if reason:
        raise BadMigration(f"{file.file_name} cannot be squashed: {reason}", hint="squash up to the version before it")


def _text(files: Sequence[MigrationFile]) -> str:
    versions = list(dict.fromkeys(version for file in files for version in (*file.replaces, file.version)))
    up = "\n\n".join(part for file in files for part in _parts(file, file.up))
    head = f"-- pgkeel: replaces {', '.join(versions)}\n"
    reasons = [f"{file.version}: {file.irreversible}" for file in files if file.irreversible]
    if reasons:
        return f"{head}-- pgkeel: irreversible -- {'; '.join(reasons)}\n-- Up Migration\n{up}\n"
    down = "\n\n".join(part for file in reversed(files) for part in _parts(file, file.down))
    return f"{head}-- Up Migration\n{up}\n\n-- Down Migration\n{down}\n"


def _parts(file: MigrationFile, section: Section | None) -> Iterator[str]:
    yield f"-- {file.version}_{file.name}"
    for unit in section.units if section is not None else ():
        yield unit.sql if unit.is_atomic else f"{unit.sql.rstrip(';')};"
