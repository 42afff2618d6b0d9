"""Rows that come back, sealed by today's key: the past's values are opened with whichever ring has their key."""

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from psycopg import sql

from pgkeel.backup.rows.shape import Table
from pgkeel.core.cipher import ERASED, Erased, FieldCipher, UnknownKey, header_of, key_of
from pgkeel.core.normal_form import normal_form
from pgkeel.core.project import Project
from pgkeel.postgres import Connection, identifier, load
from pgkeel.schema.field import EncryptedField
from pgkeel.security.keys import KeyProvider, KeyRing, WrongProvider, has_subjects, load_ring
from pgkeel.stack.escrow import living_keys
from pgkeel.stack.keys import fields_of, key_provider

__all__ = ["Resealing", "resealing_of"]

_BATCH = 1000
_DIGEST = 32


class Resealing:
    """Seals the waiting rows of one database."""

    def __init__(self, fields: Sequence[EncryptedField], provider: KeyProvider, live: Connection, past: Connection) -> None:
        """Nothing is read before a row needs it.

        Args:
            fields: The encrypted columns of today.
            provider: What wraps the keys of both databases.
            live: To the database that gets the rows, in their transaction.
            past: To the copy of it as it was.
        """
        self._fields, self._provider = fields, provider
        self._live, self._past = live, past

    def columns(self, table: Table) -> Sequence[str]:
        """Return the encrypted columns of a table and those by which their values are found."""
        found = self._of(table)
        indexed = [name for one in found if one.index is not None for name in (one.digest, one.next_digest)]
        return (*(one.column for one in found), *indexed)

    def reseal(self, table: Table, waiting: sql.Identifier) -> None:
        """Seal what waits by today's key and reckon its digests; a value that the live row holds as well stays as it is there.

        Raises:
            UnknownKey: Neither today's ring nor the past's has the key of a value.
        """
        for field in self._of(table):
            rows = _query("waiting_sealed", field, waiting).rows(self._live)
            for start in range(0, len(rows), _BATCH):
                self._reseal(field, waiting, rows[start : start + _BATCH])

    def _of(self, table: Table) -> list[EncryptedField]:
        return [one for one in self._fields if (("public", *one.table)[-2:]) == (table.schema, table.name)]

    def _reseal(self, field: EncryptedField, waiting: sql.Identifier, rows: list[dict[str, Any]]) -> None:
        clear = [(row, self._clear(field, row)) for row in rows if _is_of_a_person(row)]
        values: dict[str, object] = {
            "keys": [row["key"] for row, _ in clear],
            "sealed": [ERASED if text is None else self._sealed(field, row, text) for row, text in clear],
        }
        if field.index is not None:
            digests = [self._written(field, text) for _, text in clear]
            values |= {"digests": [now for now, _ in digests], "next_digests": [then for _, then in digests]}
        _query("reseal_waiting" if field.index is None else "reseal_waiting_indexed", field, waiting).run(self._live, **values)

    def _clear(self, field: EncryptedField, row: dict[str, Any]) -> bytes | None:
        """Return what is sealed, or None where its person was erased since: that holds for what comes back, too."""
        try:
            return self._open(field, row["key"], row["sealed"])
        except Erased:
            return None

    def _written(self, field: EncryptedField, clear: bytes | None) -> tuple[bytes, bytes | None]:
        if clear is None or field.index is None:
            return os.urandom(_DIGEST), None  # unique, and of nothing
        return self._cipher(self._today, field).written(normal_form(field.index, clear.decode()))

    def _sealed(self, field: EncryptedField, row: dict[str, Any], clear: bytes) -> bytes:
        """Return the value as it is to be written: as it lives, as it was, or sealed anew."""
        if row["live"] is not None and self._open(field, row["key"], row["live"]) == clear:
            return bytes(row["live"])
        if not field.by_subject and row["sealed"][:5] == header_of(self._today.active):
            return bytes(row["sealed"])
        return self._cipher(self._today, field).seal(row["key"], clear)

    def _open(self, field: EncryptedField, key: object, value: bytes) -> bytes:
        if key_of(value) is None:
            return bytes(value)  # it was a text then
        try:
            return self._cipher(self._today, field).open(key, value)
        except UnknownKey:
            if self._then is None:
                raise
            return self._cipher(self._then, field).open(key, value)

    def _cipher(self, ring: KeyRing, field: EncryptedField) -> FieldCipher:
        return ring.field(field.table_name, field.column, by_subject=field.by_subject)

    @cached_property
    def _today(self) -> KeyRing:
        """Today's ring; the key of a person who has none is made in the transaction that brings the rows."""
        return load_ring(self._live, self._provider, lambda: self._live)

    @cached_property
    def _then(self) -> KeyRing | None:
        """The ring of the past; None where it had none, or another key wrapped it."""
        ring = KeyRing(self._provider)
        try:
            ring.take(living_keys(self._past))
        except WrongProvider:
            return None
        return ring.with_subjects(lambda: self._past) if has_subjects(self._past) else ring


def resealing_of(project: Project, live: Connection, past: Connection) -> Resealing | None:
    """Return what seals the rows of a project's database; None where it has no keys.

    Raises:
        ModelsNotFound: `[schema] models` cannot be imported.
        ConfigError: What wraps the keys is missing.
    """
    if not living_keys(live):
        return None
    return Resealing(fields_of(project), key_provider(project), live, past)


def _is_of_a_person(row: dict[str, Any]) -> bool:
    """Tell whether a value is sealed or a text: not what a purge or an erasure left, whose row comes back as it was."""
    value = bytes(row["sealed"])
    if key_of(value) is not None:
        return True
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return value not in {ERASED, getattr(row["key"], "bytes", None)}  # the bytes of an id may read as a text


def _query(name: str, field: EncryptedField, waiting: sql.Identifier) -> Any:  # noqa: ANN401 - a Query
    columns = {"key": field.key, "column": field.column, "now": field.digest, "then": field.next_digest}
    named = {each: identifier(column) for each, column in columns.items()}
    return load(__name__, name).named(waiting=waiting, table=identifier(*field.table), **named)
