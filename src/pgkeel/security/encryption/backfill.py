"""Seal or open the rows of a batch: what `code=encrypt.TABLE.COLUMN.KEY:FORM` in a Backfill section stands for."""

from collections.abc import Callable
from typing import Any

import psycopg

from pgkeel.core.cipher import ERASED, FieldCipher
from pgkeel.core.errors import NotFound, Refused
from pgkeel.core.normal_form import NORMAL_FORMS, normal_form
from pgkeel.postgres import Connection, Query, identifier, load
from pgkeel.schema.field import EncryptedField
from pgkeel.security.keys import KeyRing, opened

__all__ = ["CODE", "change_of", "is_ours", "is_waited_for"]

CODE = ("encrypt.", "decrypt.")
Change = Callable[[Connection, Any, Any], int]


def is_ours(code: str) -> bool:
    """Return whether a backfill's `code=` asks for keys."""
    return code.startswith(CODE)


def is_waited_for(connection: Connection, code: str) -> bool:
    """Return whether rows have only the old form of a column, since they were written in the old way behind the backfill."""
    if not is_ours(code):
        return False
    field, added = _target(code)
    return _has_column(connection, field, added) and bool(_query("is_unsealed", field, added).scalar(connection))


def change_of(code: str, ring: KeyRing | Callable[[], KeyRing]) -> Change:
    """Return what seals, or opens, the rows of a batch.

    Args:
        code: As the Backfill section says it.
        ring: The keys, or what gives them when a row needs them.

    Raises:
        NotFound: The code is not one that `security encrypt` writes.
    """
    field, added = _target(code)
    act = _seal if code.startswith(CODE[0]) else _open

    def change(connection: Connection, lo: object, hi: object) -> int:
        if not _has_column(connection, field, added):
            return 0  # the switch is done: nothing was left
        rows = _query("unsealed_rows", field, added).rows(connection, lo=lo, hi=hi)
        if not rows:
            return 0
        load(__name__, "resealing").scalar(connection)
        keys = ring if isinstance(ring, KeyRing) else ring()
        return act(connection, field, keys.field(field.table_name, field.column), rows)

    return change


def _target(code: str) -> tuple[EncryptedField, str]:
    """Return the column of a backfill and the one beside it that gets the other form."""
    path, _, form = code.partition(":")
    verb, *names = path.split(".")
    if len(names) not in {3, 4} or (form not in NORMAL_FORMS and form != "none"):
        raise NotFound(f"the backfill's code {code[:80]} is not known", hint="`pgkeel security encrypt` writes it")
    *table, column, key = names
    added = f"{column}_sealed" if verb == "encrypt" else f"{column}_clear"
    return EncryptedField(tuple(table), column, key, None if form == "none" else form), added


def _seal(connection: Connection, field: EncryptedField, cipher: FieldCipher, rows: list[dict[str, Any]]) -> int:
    values: dict[str, object] = {
        "keys": [row["key"] for row in rows],
        "sealed": [cipher.seal(row["key"], row["clear"].encode()) for row in rows],
    }
    if field.index is not None:
        digests = [cipher.written(normal_form(field.index, row["clear"])) for row in rows]
        values |= {"digests": [now for now, _ in digests], "next_digests": [then for _, then in digests]}
    query = _query("seal" if field.index is None else "seal_indexed", field, f"{field.column}_sealed")
    try:
        with connection.transaction():
            return query.run(connection, **values)
    except psycopg.errors.UniqueViolation:
        if field.index is None:
            raise
        raise _equal(connection, field, values) from None


def _equal(connection: Connection, field: EncryptedField, values: dict[str, Any]) -> Refused:
    """Name two rows whose values have one normal form, of which the constraint allows one only; the values stay unsaid."""
    known: dict[bytes, object] = {}
    for key, digest in zip(values["keys"], values["digests"], strict=True):
        there = [row["key"] for row in _query("find", field, field.column).rows(connection, digest=digest) if row["key"] != key]
        other = known.setdefault(digest, there[0] if there else key)
        if other != key:
            hint = f"change one of them, or write the files anew without --unique: they are equal as {field.index}"
            return Refused(f"rows {other} and {key} hold equal values of {field.name}", hint=hint)
    return Refused(f"two rows hold equal values of {field.name}", hint="run it again")


def _open(connection: Connection, field: EncryptedField, cipher: FieldCipher, rows: list[dict[str, Any]]) -> int:
    clear = [_text(field, cipher, row["key"], bytes(row["clear"])) for row in rows]
    query = _query("unseal", field, f"{field.column}_clear")
    keys = [row["key"] for row in rows]
    try:
        return query.run(connection, keys=keys, clear=clear)
    except psycopg.errors.StringDataRightTruncation:
        longest = max(range(len(clear)), key=lambda place: len(clear[place]))
        message = f"row {keys[longest]} holds {len(clear[longest])} characters in {field.name}, more than the new type takes"
        raise Refused(message, hint="shorten it, or write the files anew with --type text") from None


def _text(field: EncryptedField, cipher: FieldCipher, key: object, value: bytes) -> str:
    """Return what was sealed; the row's id where a purge or an erasure left nothing of it: another one in each row."""
    if value in {ERASED, getattr(key, "bytes", None)}:
        return str(key)
    text = opened(cipher, key, value).decode()
    if "\0" in text:
        raise Refused(f"row {key} holds a NUL in {field.name}, which no text of the database may hold", hint="change it")
    return text


def _has_column(connection: Connection, field: EncryptedField, column: str) -> bool:
    table = ".".join(f'"{part}"' for part in field.table)
    return bool(load(__name__, "has_column").scalar(connection, table=table, column=column))


def _query(name: str, field: EncryptedField, sealed: str) -> Query:
    names = {"key": field.key, "column": field.column, "sealed": sealed, "now": field.digest, "then": field.next_digest}
    columns = {each: identifier(column) for each, column in names.items()}
    return load(__name__, name).named(table=identifier(*field.table), **columns)
