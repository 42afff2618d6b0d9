"""A table with encrypted columns, made by SQL, with rows in it; and what a live application does to it meanwhile."""

import random
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from psycopg.errors import UniqueViolation

import pgkeel.postgres
from pgkeel.core.ids import random_id
from pgkeel.core.normal_form import normal_form
from pgkeel.core.url import Url
from pgkeel.migrations import Source, up
from pgkeel.postgres import Connection, connect
from pgkeel.schema.field import EncryptedField
from pgkeel.security.keys import KeyProvider, KeyRing, keys_of, load_ring

EMAIL = EncryptedField(("people",), "email", "id", "email")
NOTE = EncryptedField(("people",), "note", "id")
FIELDS = (EMAIL, NOTE)
AT_ONCE = timedelta()
OURS = Source("pgkeel", Path(pgkeel.postgres.__file__).parent / "migrations")


def make_table(connection: Connection) -> None:
    up(connection, [OURS])
    connection.execute(
        "CREATE TABLE people (id uuid PRIMARY KEY, email bytea NOT NULL, email_bidx bytea NOT NULL UNIQUE,"
        " email_bidx_next bytea UNIQUE, note bytea)"
    )


def values_of(ring: KeyRing, key: UUID, email: str, note: str | None) -> dict[str, Any]:
    sealed, told = ring.field("people", "email"), ring.field("people", "note")
    now, then = sealed.written(normal_form("email", email))
    body = None if note is None else told.seal(key, note.encode())
    return {"id": key, "email": sealed.seal(key, email.encode()), "now": now, "then": then, "note": body}


def put(connection: Connection, ring: KeyRing, key: UUID, email: str, note: str | None = None) -> None:
    connection.execute(
        "INSERT INTO people (id, email, email_bidx, email_bidx_next, note)"
        " VALUES (%(id)s, %(email)s, %(now)s, %(then)s, %(note)s)"
        " ON CONFLICT (id) DO UPDATE SET email = EXCLUDED.email, email_bidx = EXCLUDED.email_bidx,"
        " email_bidx_next = EXCLUDED.email_bidx_next, note = EXCLUDED.note",
        values_of(ring, key, email, note),
    )


def fill(connection: Connection, ring: KeyRing, count: int) -> dict[UUID, str]:
    """Insert rows and return their addresses."""
    rows = {random_id(): f"user{number}@example.org" for number in range(count)}
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY people (id, email, email_bidx, email_bidx_next, note) FROM STDIN") as copy,
    ):
        for key, email in rows.items():
            copy.write_row(list(values_of(ring, key, email, f"note of {email}").values()))
    return rows


def problems(connection: Connection, ring: KeyRing, expected: dict[UUID, str]) -> list[str]:
    """Return what is wrong with the rows: values that do not open, are others, or are not found."""
    found = connection.execute("SELECT * FROM people ORDER BY id").fetchall()
    email, note = ring.field("people", "email"), ring.field("people", "note")
    wrong = [f"{len(found)} rows"] if len(found) != len(expected) else []
    for row in found:
        text = email.open(row["id"], row["email"]).decode()
        if row["note"] is not None:
            note.open(row["id"], row["note"])
        if text != expected[row["id"]]:
            wrong.append(f"{row['id']} holds another value")
        if row["email_bidx"] not in email.lookups(normal_form("email", text)):
            wrong.append(f"{row['id']} is not found")
    return wrong


class Life:
    """A reader and a writer that go on until they are stopped; what they notice is kept."""

    def __init__(self, url: Url, provider: KeyProvider, rows: dict[UUID, str]) -> None:
        self.rows = rows
        self.errors: list[str] = []
        self.reads = self.writes = self.refused = 0
        self._url, self._provider = url, provider
        self._locks = {key: threading.Lock() for key in rows}
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(act,)) for act in (self._read, self._write)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _run(self, act: Callable[[Connection, KeyRing, UUID, int], None]) -> None:
        with connect(self._url) as connection:
            ring = load_ring(connection, self._provider)
            keys, number = list(self.rows), 0
            while not self._end.is_set():
                number += 1
                ring.take(keys_of(connection))
                key = random.choice(keys)
                with self._locks[key]:
                    try:
                        act(connection, ring, key, number)
                    except Exception as err:  # noqa: BLE001 - any error is one too many
                        self.errors.append(f"{act.__name__}: {err!r}")

    def _read(self, connection: Connection, ring: KeyRing, key: UUID, _: int) -> None:
        self.reads += 1
        email = ring.field("people", "email")
        digests = email.lookups(normal_form("email", self.rows[key]))
        row = connection.execute("SELECT id, email FROM people WHERE email_bidx = ANY (%s)", (digests,)).fetchone()
        if row is None or email.open(row["id"], row["email"]).decode() != self.rows[key]:
            self.errors.append("a row was not found by its value")

    def _write(self, connection: Connection, ring: KeyRing, key: UUID, number: int) -> None:
        self.writes += 1
        if number % 3 == 0:
            self._write_again(connection, ring, key)
            return
        email = f"writer{number}@example.org"
        put(connection, ring, key, email, "written")
        self.rows[key] = email

    def _write_again(self, connection: Connection, ring: KeyRing, key: UUID) -> None:
        """Insert a value that is there already: it must be refused."""
        try:
            put(connection, ring, random_id(), self.rows[key].upper())
        except UniqueViolation:
            self.refused += 1
        else:
            self.errors.append("a duplicate was let in")
