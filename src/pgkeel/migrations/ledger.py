"""What the database remembers of its migrations: the table of what is applied, and the log of everything that was tried."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import psycopg

from pgkeel import __version__
from pgkeel.migrations.errors import MigrationFailed, NotOwned
from pgkeel.migrations.grammar import MigrationFile
from pgkeel.migrations.units import Unit
from pgkeel.postgres import Connection, Query, describe, load

__all__ = ["Entry", "Key", "Scribe", "entries", "exists", "facts_of", "prepare", "unfinished_backfills", "units_checksum"]

Key = tuple[str, str]


class Entry(msgspec.Struct, frozen=True):
    """What the ledger knows of one migration.

    Attributes:
        checksum: Of the file as it was applied.
        done_checksum: Of the units that are done.
        direction: `up`, or `down` while a revert is not complete.
        status: `applied`, `partial` (stopped between units), `running` (a statement outside a transaction), `baseline`.
        unit: How many units of the direction are done.
        attempt: The statement that runs or ran outside a transaction.
        down_sql: The stored Down section.
    """

    source: str
    version: str
    name: str
    checksum: str
    done_checksum: str
    direction: str
    status: str
    unit: int
    units: int
    attempt: str | None
    down_sql: str | None
    irreversible: str
    applied_at: datetime | None
    duration: timedelta
    applied_by: str
    tool_version: str

    @property
    def key(self) -> Key:
        """Source and version."""
        return (self.source, self.version)

    @property
    def is_complete(self) -> bool:
        """Whether nothing of it is left to do."""
        return self.direction == "up" and self.status in {"applied", "baseline"}


def units_checksum(units: Iterable[Unit]) -> str:
    """Return the SHA-256 of what units do, blind to comments and blanks around their statements."""
    digest = hashlib.sha256()
    for unit in units:
        digest.update(unit.sql.encode() + b"\0")
    return digest.hexdigest()


def facts_of(file: MigrationFile) -> dict[str, object]:
    """Return what the ledger keeps of a file that is done without being run."""
    return {
        "name": file.name,
        "checksum": file.checksum,
        "units": len(file.up.units) or 1,
        "down_sql": file.down.sql if file.down else None,
        "irreversible": file.irreversible,
    }


def exists(connection: Connection) -> bool:
    """Return whether the database has a ledger."""
    row = load(__name__, "ledger_exists").row(connection)
    return bool(row and row["has_ledger"])


def entries(connection: Connection) -> dict[Key, Entry]:
    """Return everything that the ledger knows; nothing where there is none.

    Raises:
        NotOwned: `pgkeel.migrations` is a table of somebody else's.
    """
    if not exists(connection):
        return {}
    try:
        rows = load(__name__, "entries").rows(connection)
    except psycopg.errors.UndefinedColumn as err:
        hint = "rename that table or its schema; pgkeel keeps its ledger under this name"
        raise NotOwned("the table pgkeel.migrations is not a ledger of pgkeel", hint=hint) from err
    return {entry.key: entry for entry in (msgspec.convert(row, Entry) for row in rows)}


def prepare(connection: Connection) -> None:
    """Make schema and ledger where they are missing; call it under the runner's lock.

    Raises:
        MigrationFailed: The login may not.
    """
    row = load(__name__, "ledger_exists").row(connection) or {}
    if row.get("has_ledger"):
        return
    try:
        with connection.transaction():
            connection.execute(b"SET LOCAL synchronous_commit = off")  # the run's last commit waits for the disk, as of its units
            if not row.get("has_schema"):
                load(__name__, "create_schema").run(connection)
            load(__name__, "create_ledger").run(connection)
    except psycopg.errors.InsufficientPrivilege as err:
        hint = "grant this login CREATE on the database, or on the schema pgkeel if it is there"
        raise MigrationFailed(f"the ledger cannot be made: {describe(err)}", hint=hint) from err


def unfinished_backfills(connection: Connection) -> frozenset[Key]:
    """Return the migrations that have a backfill which has not finished."""
    rows = load(__name__, "unfinished_backfills").rows(connection) if exists(connection) else []
    return frozenset((row["source"], row["version"]) for row in rows)


class Scribe(msgspec.Struct, frozen=True):
    """Writes the ledger for one migration of one run, as SQL for a unit's message or at once.

    Attributes:
        run: The id of the run, the same for all its log rows.
        facts: What every row of this migration says: name, checksum, units, stored Down.
    """

    connection: Connection
    run: UUID
    source: str
    version: str
    direction: str
    facts: Mapping[str, object]

    def step(
        self, *, status: str, unit: int, event: str, done: str = "", attempt: str | None = None, took: timedelta | None = None
    ) -> str:
        """Return the SQL that records the state after a step."""
        name = {"up": "record_up", "down": "record_reverted" if status == "reverted" else "record_down"}[self.direction]
        values = {"status": status, "unit": unit, "event": event, "done_checksum": done, "attempt": attempt, "took": took}
        return self._text(load(__name__, name), values)

    def backfill(self, number: int, options: Mapping[str, str], statement: str | None) -> str:
        """Return the SQL that records a backfill that waits."""
        values = {"number": number, "options": json.dumps(dict(options)), "statement": statement}
        return self._text(load(__name__, "record_backfill"), values)

    def event(self, event: str, unit: int, **facts: object) -> None:
        """Note in the log at once that something happened."""
        values = {"event": event, "unit": unit, "facts": json.dumps(facts, default=str), "direction": self.direction}
        self.connection.execute(self._text(load(__name__, "record_event"), values).encode())

    def _text(self, query: Query, values: Mapping[str, object]) -> str:
        known = {"run": self.run, "source": self.source, "version": self.version, "tool_version": __version__}
        cursor = psycopg.ClientCursor(self.connection)
        return cursor.mogrify(query.statement, {**self.facts, **known, **values})
