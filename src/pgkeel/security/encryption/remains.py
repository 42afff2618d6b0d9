"""Where values still lie that were clear before a column was encrypted, and how they are written over."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol

import msgspec
import psycopg

from pgkeel.core.errors import NotFound, Refused
from pgkeel.core.telling import counted
from pgkeel.postgres import Connection, Query, identifier, load
from pgkeel.schema.field import EncryptedField
from pgkeel.security.keys import is_there

__all__ = ["CopyHolder", "Remains", "remains", "scrub"]


class Remains(msgspec.Struct, frozen=True):
    """One place.

    Attributes:
        kind: `column`, `table file`, `wal`, `backup` or `audit`.
        where: Which.
        until: What ends it.
    """

    kind: Literal["column", "table file", "wal", "backup", "audit"]
    where: str
    until: str


class CopyHolder(Protocol):
    """What keeps copies outside of the live table: backups, audit partitions."""

    def copies_of(self, field: EncryptedField, before: datetime | None) -> Sequence[Remains]:
        """Return those that may hold clear values of a column.

        Args:
            field: The column.
            before: When its table was rewritten: what was copied later holds none. None: it has not been.
        """
        ...


def remains(connection: Connection, field: EncryptedField, *, holders: Sequence[CopyHolder] = ()) -> tuple[Remains, ...]:
    """Return where clear values of an encrypted column may still lie; nothing is left out that is not proved to be gone.

    Args:
        connection: A login that may list the WAL (`pg_monitor`), or a superuser.
        field: The column.
        holders: Backups and the audit log.

    Raises:
        NotFound: There is no such table.
    """
    found = load(__name__, "table_file").row(connection, name=field.name, table=_quoted(field), column=field.column)
    if found is None:
        raise NotFound(f"there is no table {field.table_name}", hint="`pgkeel schema show` lists them")
    places, never = _columns(connection, field), datetime.min.replace(tzinfo=UTC)
    if found["scrubbed_at"] is None and found["has_dropped"]:
        until = f"pgkeel security encrypt {field.name} --scrub"
        places += [Remains("table file", table, until) for table in (found["table"], "pg_statistic (samples of ANALYZE)")]
        places.append(Remains("wal", "segments from before the table is rewritten", "they are recycled and written over"))
    elif found["scrubbed_at"] is not None:
        segments = load(__name__, "old_wal").scalar(connection, at=found["scrubbed_at"])
        if segments:
            old = f"{counted(segments, 'segment')} from before the scrub"
            places.append(Remains("wal", old, "they are recycled and written over"))
    before = found["scrubbed_at"] or (None if places else never)
    return (*places, *(place for holder in holders for place in holder.copies_of(field, before)))


def scrub(
    connection: Connection, field: EncryptedField, *, superuser: Connection | None = None, wait: timedelta = timedelta(seconds=5)
) -> None:
    """Write the table of an encrypted column anew, so that its file holds no clear value; whoever uses it waits so long.

    So are the statistics of the database: ANALYZE had kept samples of the values, and they lie there until written over.

    Killed, the rewrite leaves the old file in force and is run again.

    Args:
        connection: As the owner of the database.
        field: The column.
        superuser: Begins a new segment of WAL, if it may; else the one that is written to may hold clear values unseen.
        wait: How long to wait for a lock.

    Raises:
        Refused: Clear values stand in a column, a lock was not obtained, or the login may not rewrite the statistics.
    """
    standing = _columns(connection, field)
    if standing:
        hint = f"first {standing[0].until}"
        raise Refused(f"{standing[0].where} still holds clear values", hint=hint)
    load(__name__, "lock_timeout").scalar(connection, wait=f"{round(wait.total_seconds() * 1000)}ms")
    before = load(__name__, "statistics_file").scalar(connection)
    _rewrite(connection, load(__name__, "rewrite").named(table=identifier(*field.table)), field.table_name, wait)
    _rewrite(connection, load(__name__, "rewrite_statistics"), "pg_statistic", wait)
    if load(__name__, "statistics_file").scalar(connection) == before:  # the server only warns
        hint = "run it with a login that owns the database, or is a superuser"
        raise Refused("pg_statistic was not rewritten: this login may not, and samples of clear values lie there", hint=hint)
    with suppress(psycopg.errors.InsufficientPrivilege):
        load(__name__, "switch_wal").scalar(superuser or connection)
    load(__name__, "note_scrub").run(connection, name=field.name, table=_quoted(field))


def _rewrite(connection: Connection, query: Query, table: str, wait: timedelta) -> None:
    try:
        connection.execute(query.statement)
    except psycopg.errors.LockNotAvailable:
        hint = "run it again when the table is used less"
        raise Refused(f"the table {table} was not free for {wait.total_seconds():g} s", hint=hint) from None


def _columns(connection: Connection, field: EncryptedField) -> list[Remains]:
    """Return the column itself while it is clear, or the one that the switch left and the third migration drops."""
    old = f"{field.column}_clear"
    if not is_there(connection, field) and _has(connection, field, field.column):
        return [_column(connection, field, field.column, f"`pgkeel security encrypt {field.name}`, and its migrations")]
    if not _has(connection, field, old):
        return []
    return [_column(connection, field, old, "the third migration drops it")]


def _has(connection: Connection, field: EncryptedField, column: str) -> bool:
    return bool(load(__name__, "has_column").scalar(connection, table=_quoted(field), column=column))


def _column(connection: Connection, field: EncryptedField, column: str, until: str) -> Remains:
    names = {"table": identifier(*field.table), "old": identifier(column)}
    rows = load(__name__, "old_column").named(**names).scalar(connection)
    return Remains("column", f"{field.table_name}.{column} ({counted(rows, 'value')})", until)


def _quoted(field: EncryptedField) -> str:
    return ".".join(f'"{part}"' for part in field.table)
