"""A key for each person: what is sealed by it opens with the ring and with that key, so that one person can be erased everywhere.

The audit log and other copies cannot be rewritten; without the person's key, what they hold of that person opens no more.
"""

import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg

from pgkeel.core.cipher import ERASED, Erased, FieldCipher, UnknownKey
from pgkeel.postgres import Connection, Query, identifier, load
from pgkeel.postgres.cache_ledger import forget_cached
from pgkeel.schema.field import EncryptedField
from pgkeel.security.keys.there import is_there, require_there

__all__ = ["SUBJECTS", "Erasure", "SubjectKeys", "erasable", "erase", "has_subjects", "is_known"]

SUBJECTS = EncryptedField(("pgkeel", "subject_keys"), "wrapped", "id")
_BYTES = 32
_MOST = 100_000
_OVERLAP = timedelta(minutes=5)  # a change is seen by its time, and commits later
_GONE = b""


class Erasure(msgspec.Struct, frozen=True):
    """What became of one column.

    Attributes:
        field: `table.column`.
        rows: How many rows of the person held a value.
    """

    field: str
    rows: int


class SubjectKeys:
    """The keys of persons in memory; one that is not there is read, or made, by a connection of its own."""

    def __init__(self, connect: Callable[[], Connection], guard: FieldCipher) -> None:
        """Start without keys.

        Args:
            connect: Opens a connection that may read and add them; it is kept.
            guard: Wraps them.
        """
        self._connect = connect
        self._guard = guard
        self._connection: Connection | None = None
        self._known: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._seen = datetime.min.replace(tzinfo=UTC)

    def secret(self, subject: str, *, makes: bool) -> bytes:
        """Return a person's key.

        Args:
            subject: The person.
            makes: Whether one who has none gets one.

        Raises:
            Erased: The person was erased.
            UnknownKey: There is no such person.
        """
        with self._lock:
            found = self._known.get(subject)
            if found is None:
                found = self._keep(subject, self._read(subject, makes=makes))
        if found == _GONE:
            raise Erased("this person was erased", hint="nothing opens it any more, nor can be written for that person")
        return found

    def refresh(self, connection: Connection) -> None:
        """Take what has changed since the last time: new persons, and those who were erased."""
        rows = load(__name__, "changed_subjects").rows(connection, since=self._seen, most=_MOST)
        with self._lock:
            for row in rows:
                self._keep(row["id"], row["wrapped"])
        if rows:
            self._seen = rows[0]["now"] - _OVERLAP

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _keep(self, subject: str, wrapped: bytes | None) -> bytes:
        if len(self._known) >= _MOST:
            self._known.clear()
        known = _GONE if wrapped is None else self._guard.open(subject, bytes(wrapped))
        self._known[subject] = known
        return known

    def _read(self, subject: str, *, makes: bool) -> bytes | None:
        try:
            return self._asked(self._connection or self._opened(), subject, makes=makes)
        except psycopg.OperationalError:  # it lay unused for long, and the server was started anew
            return self._asked(self._opened(), subject, makes=makes)

    def _opened(self) -> Connection:
        self.close()
        self._connection = self._connect()
        return self._connection

    def _asked(self, connection: Connection, subject: str, *, makes: bool) -> bytes | None:
        if makes:
            fresh = self._guard.seal(subject, os.urandom(_BYTES))
            load(__name__, "add_subject").run(connection, id=subject, wrapped=fresh)
        row = load(__name__, "subject").row(connection, id=subject)
        if row is None:
            raise UnknownKey("a value names a person who has no key", hint="the table pgkeel.subject_keys lost a row")
        wrapped: bytes | None = row["wrapped"]
        return wrapped


def is_known(connection: Connection, subject: str) -> bool:
    """Return whether there is a key of a person, or was one before the person was erased."""
    return load(__name__, "subject").row(connection, id=subject) is not None


def has_subjects(connection: Connection) -> bool:
    """Return whether the database has a table of persons' keys."""
    return bool(load(__name__, "has_subjects").scalar(connection))


def erasable(connection: Connection, fields: Sequence[EncryptedField]) -> tuple[EncryptedField, ...]:
    """Return the fields that are sealed by person and are here; a database of an older day may not have them yet."""
    if not has_subjects(connection):
        return ()
    return tuple(field for field in fields if field.by_subject and is_there(connection, field))


def erase(
    connection: Connection, fields: Sequence[EncryptedField], subject: str, *, dry_run: bool = False
) -> tuple[Erasure, ...]:
    """Forget a person's key for ever, with what rows of that person hold; all of it or nothing, and safe to repeat.

    Args:
        connection: In autocommit, as the owner of the tables.
        fields: The encrypted columns of the models; those with `subject=True` count.
        subject: The id of the person's rows.
        dry_run: Whether to count only.

    Raises:
        Refused: A column is not in the database, or is clear there.
    """
    concerned = [field for field in fields if field.by_subject]
    require_there(connection, concerned)
    with connection.transaction():
        if dry_run:
            count = {
                field.name: _named("rows_of_subject", field).scalar(connection, id=subject, erased=ERASED) for field in concerned
            }
            return tuple(Erasure(name, int(rows or 0)) for name, rows in count.items())
        load(__name__, "erase_subject").run(connection, id=subject)
        forget_cached(connection, *(field.table_name for field in concerned))
        return tuple(Erasure(field.name, _erase(connection, field, subject)) for field in concerned)


def _erase(connection: Connection, field: EncryptedField, subject: str) -> int:
    if field.index is None:
        return _named("erase_rows", field).run(connection, id=subject, erased=ERASED)
    digest = os.urandom(_BYTES)  # unique, and of nothing
    return _named("erase_indexed_rows", field).run(connection, id=subject, erased=ERASED, digest=digest)


def _named(name: str, field: EncryptedField) -> Query:
    names = {"key": field.key, "column": field.column, "now": field.digest, "then": field.next_digest}
    table = identifier(*field.table)
    return load(__name__, name).named(table=table, **{each: identifier(column) for each, column in names.items()})
