"""Seal every row anew by the active key, beside readers and writers: in batches, each one transaction, resumable anywhere.

A row is exchanged only if it still holds what was read. Equal values stay refused throughout: while two keys are about, every row
has both digests, and both columns are unique.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
from psycopg.types.string import StrDumper

from pgkeel.core.cipher import CannotOpen, FieldCipher, UnknownKey, header_of
from pgkeel.core.normal_form import normal_form
from pgkeel.postgres import Connection, Query, identifier, load
from pgkeel.postgres.cache_ledger import forget_cached
from pgkeel.schema.field import EncryptedField
from pgkeel.security.keys.errors import KeyInUse, WrongState
from pgkeel.security.keys.key import WrappedKey
from pgkeel.security.keys.ring import KeyRing
from pgkeel.security.keys.store import KeyHolder, keys_of, known, mark_destroyed, mark_retired, require_time, require_unused
from pgkeel.security.keys.subjects import SUBJECTS, has_subjects
from pgkeel.security.keys.there import require_there

__all__ = ["Rotated", "destroy", "find", "opened", "retire", "rotate"]

Fields = Sequence[EncryptedField]
_BATCH = 500
_ROUNDS = 10
_DEADLOCKS = 10


class Rotated(msgspec.Struct, frozen=True):
    """What became of one column.

    Attributes:
        field: `table.column`.
        rows: How many rows were changed.
    """

    field: str
    rows: int


def rotate(connection: Connection, ring: KeyRing, fields: Fields, *, batch: int = _BATCH) -> tuple[Rotated, ...]:
    """Seal by the active key whatever another one sealed; killed at any instant, the next run goes on.

    Args:
        connection: In autocommit, as the owner of the tables.
        ring: The keys.
        fields: The encrypted columns.
        batch: Rows of one transaction.

    Raises:
        Refused: A column is not in the database, or is clear there.
        CannotOpen: A value does not open; its row is named.
    """
    require_there(connection, fields)
    is_moving = any(key.state in {"previous", "retired"} for key in keys_of(connection))
    done = [
        Rotated(field.name, _rotate(connection, ring, field, batch, is_moving=is_moving)) for field in _all(connection, fields)
    ]
    return tuple(each for each in done if each.rows or each.field != SUBJECTS.name)


def _rotate(connection: Connection, ring: KeyRing, field: EncryptedField, batch: int, *, is_moving: bool) -> int:
    is_indexed = field.index is not None and is_moving
    query = _named("old_indexed_rows" if is_indexed else "old_rows", field)
    cipher = ring.field(field.table_name, field.column, by_subject=field.by_subject)
    header, done = header_of(ring.active, by_subject=field.by_subject), 0
    for _ in range(_ROUNDS):  # a row that was written while its batch was sealed is found in the next round
        done += sum(_reseal(connection, cipher, field, rows) for rows in _batches(connection, query, batch, header=header))
        if query.row(connection, header=header, last=None, is_first=True, batch=1) is None:
            break
    return done


def _batches(connection: Connection, query: Query, batch: int, **values: object) -> Iterator[list[dict[str, Any]]]:
    last: object = None
    while rows := query.rows(connection, last=last, is_first=last is None, batch=batch, **values):
        yield rows
        last = rows[-1]["key"]


def _reseal(connection: Connection, cipher: FieldCipher, field: EncryptedField, rows: list[dict[str, Any]]) -> int:
    clear = [opened(cipher, row["key"], row["sealed"]) for row in rows]
    values: dict[str, object] = {
        "keys": [row["key"] for row in rows],
        "sealed": [row["sealed"] for row in rows],
        "fresh": [cipher.seal(row["key"], text) for row, text in zip(rows, clear, strict=True)],
    }
    if field.index is not None:
        digests = [cipher.written(normal_form(field.index, text.decode())) for text in clear]
        values |= {"digests": [now for now, _ in digests], "next_digests": [then for _, then in digests]}
    return _changed(connection, _named("reseal" if field.index is None else "reseal_indexed", field), **values)


def opened(cipher: FieldCipher, row: object, sealed: bytes) -> bytes:
    """Return the clear value; one of many that does not open is named by its row.

    Raises:
        CannotOpen: It was changed, or was not sealed for this row.
        UnknownKey: The ring does not have its key.
    """
    try:
        return cipher.open(row, sealed)
    except (CannotOpen, UnknownKey) as err:
        raise type(err)(f"{err.message} (row {row})", hint=err.hint) from None


def retire(
    connection: Connection,
    ring: KeyRing,
    key: int,
    fields: Fields,
    *,
    refresh: timedelta,
    batch: int = _BATCH,
    dry_run: bool = False,
) -> WrappedKey:
    """Let a key only open from now on, and rows be found by the active key's digest.

    Raises:
        WrongState: It is the active one, or destroyed.
        KeyInUse: Rows are not rotated yet.
        TooEarly: Not every process has read that another key is active.
    """
    found = known(connection, key)
    if found.state in {"active", "destroyed"}:
        hint = "`pgkeel security keys add`, activate that one, and rotate" if found.state == "active" else "nothing is left of it"
        raise WrongState(f"key {key} is {found.state}", hint=hint)
    require_there(connection, fields)
    if found.state == "previous":
        require_time(connection, ring.active, refresh)
        _require_rotated(connection, ring, _all(connection, fields))
    if dry_run:
        return found
    if found.state != "retired":
        mark_retired(connection, key)
    for field in _indexed(fields):
        _repeat(connection, _named("move_digests", field), batch)
    ring.take(keys_of(connection))
    return known(connection, key)


def destroy(
    connection: Connection,
    ring: KeyRing,
    key: int,
    fields: Fields,
    *,
    holders: Sequence[KeyHolder] = (),
    refresh: timedelta,
    batch: int = _BATCH,
    dry_run: bool = False,
) -> WrappedKey:
    """Forget a retired key for ever: what it sealed will not be opened again by anybody.

    Raises:
        WrongState: It is not retired.
        KeyInUse: A row, an audit partition or a kept backup needs it.
        TooEarly: Not every process has read that it is retired.
    """
    found = known(connection, key)
    if found.state not in {"retired", "destroyed"}:
        raise WrongState(f"key {key} is {found.state}", hint=f"`pgkeel security keys retire {key}` comes first")
    require_there(connection, fields)
    if found.state == "retired":
        require_time(connection, key, refresh)
        require_unused(connection, found, holders)
        for field in _indexed(fields):
            _require_moved(connection, ring, field, key, batch)
    if dry_run:
        return found
    if found.state == "retired":
        forget_cached(connection)  # what was read before the rows were rotated opens no more
        mark_destroyed(connection, key)
        ring.take(keys_of(connection))
    if not any(each.state in {"previous", "retired"} for each in keys_of(connection)):
        for field in _indexed(fields):
            _repeat(connection, _named("drop_digests", field), batch)
    return known(connection, key)


def find(connection: Connection, ring: KeyRing, field: EncryptedField, text: str) -> list[object]:
    """Return the ids of the rows that hold a text.

    Raises:
        WrongState: The column has no blind index.
    """
    if field.index is None:
        raise WrongState(f"{field.name} has no blind index", hint='declare Encrypted(index="exact"), and write a migration')
    require_there(connection, [field])
    digests = ring.field(field.table_name, field.column).lookups(normal_form(field.index, text))
    return [row["key"] for row in _named("find", field).rows(connection, digests=digests)]


def _require_rotated(connection: Connection, ring: KeyRing, fields: Fields) -> None:
    for field in fields:
        header = header_of(ring.active, by_subject=field.by_subject)
        query = _named("old_rows" if field.index is None else "old_indexed_rows", field)
        if query.row(connection, header=header, last=None, is_first=True, batch=1) is not None:
            hint = "run `pgkeel security keys rotate`, and this again"
            raise KeyInUse(f"{field.name} has rows that the active key did not seal", hint=hint, data={"used_by": [field.name]})


def _require_moved(connection: Connection, ring: KeyRing, field: EncryptedField, key: int, batch: int) -> None:
    """Refuse while a row is found only by the digest of a key that is to go; every row is asked, for a digest has no name."""
    cipher = ring.field(field.table_name, field.column)
    for rows in _batches(connection, _named("every_row", field), batch):
        for row in rows:
            now, _ = cipher.written(normal_form(field.index or "", opened(cipher, row["key"], row["sealed"]).decode()))
            if now != row["digest"]:
                hint = f"`pgkeel security keys retire {key}` moves them"
                raise KeyInUse(
                    f"{field.name} has rows with the digest of an older key", hint=hint, data={"used_by": [field.name]}
                )


def _repeat(connection: Connection, query: Query, batch: int) -> None:
    while _changed(connection, query, batch=batch):
        pass


def _changed(connection: Connection, query: Query, **values: object) -> int:
    """Return how many rows a batch changed; one that deadlocked with writers of its rows is done again."""
    for _ in range(_DEADLOCKS):
        with suppress(psycopg.errors.DeadlockDetected):
            return _changed_once(connection, query, values)
    return _changed_once(connection, query, values)


def _changed_once(connection: Connection, query: Query, values: dict[str, object]) -> int:
    with connection.transaction():
        load(__name__, "resealing").scalar(connection)
        with connection.cursor() as cursor:
            cursor.adapters.register_dumper(str, StrDumper)  # keys that are texts say so, or `unnest` could not choose
            return cursor.execute(query.statement, values).rowcount


def _named(name: str, field: EncryptedField) -> Query:
    columns = {"key": field.key, "column": field.column, "now": field.digest, "then": field.next_digest}
    return load(__name__, name).named(
        table=identifier(*field.table), **{each: identifier(column) for each, column in columns.items()}
    )


def _all(connection: Connection, fields: Fields) -> Fields:
    """Return the columns of the models, and before them the one that holds persons' keys."""
    return (SUBJECTS, *fields) if has_subjects(connection) else fields


def _indexed(fields: Fields) -> list[EncryptedField]:
    return [field for field in fields if field.index is not None]
