"""Show where every migration stands; nothing is written and no lock is taken."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pgkeel.migrations import ledger
from pgkeel.migrations.grammar import MigrationFile
from pgkeel.migrations.ledger import Entry
from pgkeel.migrations.source import Source, read
from pgkeel.migrations.squashed import seen
from pgkeel.postgres import Connection

__all__ = ["State", "Status", "pending", "status", "unknown"]

_SETTLED = {"applied", "baseline"}
_UNKNOWN = "unknown"


class State(msgspec.Struct, frozen=True):
    """One migration.

    Attributes:
        state: `applied`, `pending`, `partial` or `running` (stopped half-way, `up` goes on), `baseline`; `unknown` where
            no database could be asked.
        is_edited: Whether its file was changed after it was applied.
        is_missing: Whether its file is gone.
        applied_at: When, in UTC.
        applied_by: The login that applied it.
    """

    source: str
    version: str
    name: str
    state: str
    is_edited: bool = False
    is_missing: bool = False
    applied_at: datetime | None = None
    applied_by: str = ""


class Status(msgspec.Struct, frozen=True):
    """All migrations, sources in their order, each from its oldest."""

    migrations: tuple[State, ...]

    @property
    def is_known(self) -> bool:
        """Whether a database said so."""
        return not any(state.state == _UNKNOWN for state in self.migrations)

    @property
    def applied(self) -> tuple[State, ...]:
        """Those that are applied."""
        return tuple(state for state in self.migrations if state.state in _SETTLED)

    @property
    def pending(self) -> tuple[State, ...]:
        """Those that `up` would apply or finish."""
        return tuple(state for state in self.migrations if state.state not in _SETTLED)


def status(connection: Connection, sources: Sequence[Source]) -> Status:
    """Return where every migration of the sources stands.

    Raises:
        BadMigration: A file cannot be read or run.
    """
    migrations = {source.name: read(source) for source in sources}
    known = seen(migrations, ledger.entries(connection))
    found: list[State] = []
    for source in sources:
        files = {file.version: file for file in migrations[source.name]}
        entries = {version: entry for (name, version), entry in known.items() if name == source.name}
        found += (_state(source.name, files.get(version), entries.get(version)) for version in sorted({*files, *entries}))
    return Status(tuple(found))


def unknown(sources: Sequence[Source]) -> Status:
    """Return the migrations of the sources where no database can be asked which of them are applied.

    Raises:
        BadMigration: A file cannot be read or run.
    """
    return Status(tuple(State(source.name, one.version, one.name, _UNKNOWN) for source in sources for one in read(source)))


def pending(connection: Connection, sources: Sequence[Source]) -> tuple[State, ...]:
    """Return the migrations that `up` would apply or finish."""
    return status(connection, sources).pending


def _state(source: str, file: MigrationFile | None, entry: Entry | None) -> State:
    if entry is None:
        assert file is not None  # noqa: S101 - a version comes from one of the two
        return State(source, file.version, file.name, "pending")
    return State(
        source,
        entry.version,
        entry.name,
        "partial" if entry.direction == "down" and entry.status == "applied" else entry.status,
        is_edited=file is not None and file.checksum != entry.checksum,
        is_missing=file is None,
        applied_at=entry.applied_at,
        applied_by=entry.applied_by,
    )
