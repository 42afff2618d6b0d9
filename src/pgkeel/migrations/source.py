"""Where migrations come from: one folder a source, each with an order of its own."""

import os
from pathlib import Path

import msgspec

from pgkeel.core.project import Project
from pgkeel.migrations.errors import BadMigration
from pgkeel.migrations.grammar import MigrationFile, normalise, parse

__all__ = ["PGKEEL", "Source", "count_files", "project_sources", "read", "shown", "source_of_tenant", "tenant_of", "text_of"]


class Source(msgspec.Struct, frozen=True):
    """A folder of migration files and the name under which the ledger knows them.

    Attributes:
        name: `pgkeel` (our internal objects), `reference` (the design's tables) or `app` (the team's).
        folder: Where the files are; a folder that does not exist holds none.
    """

    name: str
    folder: Path


_HOUSE = Path(__file__).parents[1]
PGKEEL = Source("pgkeel", _HOUSE / "postgres" / "migrations")


def project_sources(project: Project) -> tuple[Source, ...]:
    """Return whose migrations belong to a project, in the order in which they run.

    Our own objects, the design's tables where they are kept, and the team's files.
    """
    reference = (Source("reference", _HOUSE / "schema" / "migrations"),) if project.has_reference_schema else ()
    return (PGKEEL, *reference, Source("app", project.root / project.config.migrations.directory))


def source_of_tenant(source: Source, schema: str) -> Source:
    """Return the same files for one schema of many in a database: the ledger keeps each tenant's state apart."""
    return Source(f"{source.name}@{schema}", source.folder)


def tenant_of(name: str) -> str:
    """Return the schema in the name of a tenant's source, or ""."""
    return name.partition("@")[2]


def read(source: Source) -> tuple[MigrationFile, ...]:
    """Return the migrations of a source, oldest first.

    Files that do not end in `.sql`, and hidden ones, are none of ours.

    Raises:
        BadMigration: The folder or a file cannot be read, a file cannot be run, or two have one version.
    """
    files: dict[str, MigrationFile] = {}
    for path in _paths(source.folder):
        file = parse(text_of(path), shown(path))
        if file.version in files:
            hint = f"give one of them a later version; the other is {files[file.version].file_name}"
            raise BadMigration(f"{file.file_name}: the version {file.version} stands twice in {source.name}", hint=hint)
        files[file.version] = file
    return tuple(files[version] for version in sorted(files))


def count_files(source: Source) -> int:
    """Return how many migration files a source has, without reading them.

    Raises:
        BadMigration: The folder cannot be read.
    """
    return len(_paths(source.folder))


def _paths(folder: Path) -> list[Path]:
    try:
        if not folder.exists():
            return []
        return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".sql" and not path.name.startswith("."))
    except OSError as err:
        hint = "[migrations] directory names the folder; make it readable"
        raise BadMigration(f"the folder {folder} cannot be read: {err.strerror}", hint=hint) from err


def shown(path: Path) -> str:
    """Return a path as errors and reports show it: from the current folder on, where it is below."""
    return str(path).removeprefix(f"{Path.cwd()}{os.sep}")


def text_of(path: Path) -> str:
    """Return the text of an SQL file, with LF line ends.

    Raises:
        BadMigration: It cannot be read, or is not UTF-8.
    """
    try:
        return normalise(path.read_bytes().decode())
    except UnicodeDecodeError as err:
        raise BadMigration(f"{shown(path)}: byte {err.start} is not UTF-8", hint="save the file as UTF-8") from err
    except OSError as err:
        raise BadMigration(f"{shown(path)} cannot be read: {err.strerror}", hint="make it readable") from err
