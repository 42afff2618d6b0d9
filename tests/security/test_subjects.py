"""Persons' keys: what is sealed by one opens no more once it is gone, wherever a copy lies."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped

from pgkeel.access.sync import Database
from pgkeel.core.cipher import ERASED, CannotOpen, Erased, UnknownKey, header_of
from pgkeel.core.ids import random_id
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.schema.building import create_all
from pgkeel.schema.encrypted import Encrypted
from pgkeel.schema.field import EncryptedField
from pgkeel.schema.mixins import Identified
from pgkeel.schema.naming import new_metadata
from pgkeel.schema.types import TYPES
from pgkeel.security import keys as ring_of_keys
from pgkeel.security.keys import KeyProvider, KeyRing, ensure, erase, follow, load_ring
from pgkeel.testing.keys import provider_for_tests
from tests.security.sealed_table import AT_ONCE, make_table

EMAIL = EncryptedField(("people",), "email", "id", "email", by_subject=True)
NOTE = EncryptedField(("people",), "note", "id", by_subject=True)
FIELDS = (EMAIL, NOTE)


@pytest.fixture
def connection(empty_db: Url) -> Iterator[Connection]:
    with connect(empty_db) as opened:
        make_table(opened)
        yield opened


@pytest.fixture
def provider() -> KeyProvider:
    return provider_for_tests()


@pytest.fixture
def ring(connection: Connection, provider: KeyProvider, empty_db: Url) -> Iterator[KeyRing]:
    ensure(connection, provider)
    made = load_ring(connection, provider, partial(connect, empty_db))
    yield made
    assert made.subjects is not None
    made.subjects.close()


def put(connection: Connection, ring: KeyRing, email: str, *, by_subject: bool = True) -> UUID:
    key = random_id()
    sealed = ring.field("people", "email", by_subject=by_subject)
    note = ring.field("people", "note", by_subject=by_subject)
    now, then = sealed.written(email.encode())
    values = [key, sealed.seal(key, email.encode()), now, then, note.seal(key, b"a note")]
    connection.execute("INSERT INTO people (id, email, email_bidx, email_bidx_next, note) VALUES (%s, %s, %s, %s, %s)", values)
    return key


def value(connection: Connection, key: UUID, column: str = "email") -> bytes:
    row = connection.execute(f"SELECT {column} AS value FROM people WHERE id = %s".encode(), [key]).fetchone()
    assert row is not None
    return bytes(row["value"])


def test_nothing_of_an_erased_person_opens_where_copies_lie_too(connection: Connection, ring: KeyRing) -> None:
    email = ring.field("people", "email")
    ada, bob = put(connection, ring, "ada@x.org"), put(connection, ring, "bob@x.org")
    copy = value(connection, ada)
    assert copy[:5] == header_of(1, by_subject=True)
    assert email.open(ada, copy) == b"ada@x.org"
    with pytest.raises(CannotOpen):
        email.open(bob, copy)

    counted = erase(connection, FIELDS, str(ada), dry_run=True)
    done = erase(connection, FIELDS, str(ada))
    again = erase(connection, FIELDS, str(ada))
    assert ring.subjects is not None
    ring.subjects.refresh(connection)

    assert [(each.field, each.rows) for each in done] == [("people.email", 1), ("people.note", 1)]
    assert (counted, [each.rows for each in again]) == (done, [0, 0])
    assert value(connection, ada) == ERASED
    for gone in (copy, ERASED):
        with pytest.raises(Erased):
            email.open(ada, gone)
    with pytest.raises(Erased):
        ring.field("people", "email", by_subject=True).seal(ada, b"back again")
    assert email.open(bob, value(connection, bob)) == b"bob@x.org"
    assert connection.execute("SELECT FROM people WHERE email_bidx = ANY (%s)", (email.lookups(b"ada@x.org"),)).fetchone() is None


def test_another_process_learns_of_new_persons_at_once_and_of_erased_ones_in_time(
    connection: Connection, ring: KeyRing, provider: KeyProvider, empty_db: Url
) -> None:
    with follow(empty_db, provider, every=timedelta(milliseconds=50)) as other:
        ada = put(connection, ring, "ada@x.org")
        copy = value(connection, ada)
        assert other.field("people", "email").open(ada, copy) == b"ada@x.org"
        erase(connection, FIELDS, str(ada))
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                other.field("people", "email").open(ada, copy)
            except Erased:
                return
            time.sleep(0.02)
    pytest.fail("it still opens")


def test_a_connection_that_was_cut_is_opened_anew(connection: Connection, ring: KeyRing) -> None:
    put(connection, ring, "ada@x.org")
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    bob = put(connection, ring, "bob@x.org")

    assert ring.field("people", "email").open(bob, value(connection, bob)) == b"bob@x.org"


def test_a_ring_without_a_connection_opens_no_value_of_a_person(
    connection: Connection, ring: KeyRing, provider: KeyProvider
) -> None:
    ada = put(connection, ring, "ada@x.org")

    with pytest.raises(UnknownKey):
        load_ring(connection, provider).field("people", "email").open(ada, value(connection, ada))


def test_rotation_seals_by_persons_what_was_not_and_wraps_their_keys_anew(
    connection: Connection, ring: KeyRing, provider: KeyProvider
) -> None:
    plain, ada, gone = (put(connection, ring, f"{name}@x.org", by_subject=name != "plain") for name in ("plain", "ada", "gone"))
    erase(connection, FIELDS, str(gone))
    second = ring_of_keys.add(connection, provider)
    ring_of_keys.activate(connection, second.id, refresh=AT_ONCE)
    ring.take(ring_of_keys.keys_of(connection))
    ring_of_keys.rotate(connection, ring, FIELDS)
    ring_of_keys.retire(connection, ring, 1, FIELDS, refresh=AT_ONCE)
    ring_of_keys.destroy(connection, ring, 1, FIELDS, refresh=AT_ONCE)

    assert {value(connection, key)[:5] for key in (plain, ada)} == {header_of(2, by_subject=True)}
    assert ring.field("people", "email").open(plain, value(connection, plain)) == b"plain@x.org"
    assert ring.field("people", "note").open(ada, value(connection, ada, "note")) == b"a note"
    assert ring_of_keys.rows_by_key(connection) == {2: 6}  # two values of two rows, and the keys of the two persons


def test_an_erasure_that_is_killed_is_whole_or_has_not_begun(connection: Connection, ring: KeyRing, empty_db: Url) -> None:
    people = [put(connection, ring, f"p{number}@x.org") for number in range(60)]
    for _ in range(3):
        command = [sys.executable, "-m", "tests.security.run_erase", empty_db.reveal()]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random.uniform(0, 0.05))
            process.kill()
    rows = connection.execute(
        "SELECT people.id, wrapped IS NULL AS is_gone, email = %(erased)s AS no_email, note = %(erased)s AS no_note"
        " FROM people JOIN pgkeel.subject_keys AS person ON person.id = people.id::text",
        {"erased": ERASED},
    ).fetchall()

    assert len(rows) == len(people)
    assert all(row["is_gone"] == row["no_email"] == row["no_note"] for row in rows)


class Base(DeclarativeBase):
    metadata = new_metadata()
    type_annotation_map: ClassVar[dict[Any, Any]] = TYPES


class Patient(Base, Identified):
    __tablename__ = "patients"

    email: Mapped[str] = Encrypted(index="email", unique="idx_patients_email", subject=True)
    note: Mapped[str | None] = Encrypted(subject=True)


def test_a_model_that_says_so_seals_by_person_through_every_door(connection: Connection, ring: KeyRing, empty_db: Url) -> None:
    create_all(Base, connection)
    fields = (
        EncryptedField(("patients",), "email", "id", "email", by_subject=True),
        EncryptedField(("patients",), "note", "id", by_subject=True),
    )
    with Database(empty_db, keys=ring) as db:
        handle: Any = db
        patients = handle.repository(Patient)
        key = patients.insert(email="Ada@x.org", note="well")
        with db.transaction() as tx:
            tx.add(Patient(email="bob@x.org"))
        (ada,) = patients.filter(Patient.email == "ada@x.org")
        assert (ada.email, ada.note) == ("Ada@x.org", "well")
        (bob,) = patients.filter(Patient.email == "bob@x.org")
        assert bob.email == "bob@x.org"
        erase(connection, fields, str(key))
        assert ring.subjects is not None
        ring.subjects.refresh(connection)
        for row in (ada, patients.get(key)):
            with pytest.raises(Erased):
                _ = row.email
        assert patients.filter(Patient.email == "ada@x.org") == []
        patients.insert(email="ada@x.org")  # the address is free again
