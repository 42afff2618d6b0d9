"""Rows with encrypted columns come back under today's key, whatever sealed them then."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from pgkeel.backup.rows import Gone, Storage, put_back
from pgkeel.backup.rows.resealing import WithoutKeys
from pgkeel.backup.rows.shape import Table
from pgkeel.core.cipher import ERASED, key_of
from pgkeel.core.errors import Refused
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.postgres import Connection, connect
from pgkeel.schema.field import EncryptedField
from pgkeel.security import keys as ring_of_keys
from pgkeel.security.keys import KeyRing
from pgkeel.stack.resealing import Resealing
from tests.security.sealed_table import AT_ONCE, EMAIL, FIELDS, fill, make_table, problems

PEOPLE = Table("public", "people")


class Sides:
    """A database, and itself as it was before its key was changed."""

    def __init__(self, live: Connection, past: Connection, provider: ring_of_keys.KeyProvider, rows: dict[UUID, str]) -> None:
        self.live, self.past, self.provider, self.rows = live, past, provider, rows
        self.resealer = Resealing(FIELDS, provider, live, past)

    def change_key(self, *, destroys: bool) -> None:
        ring = ring_of_keys.load_ring(self.live, self.provider)
        ring_of_keys.activate(self.live, ring_of_keys.add(self.live, self.provider).id, refresh=AT_ONCE)
        ring.take(ring_of_keys.keys_of(self.live))
        ring_of_keys.rotate(self.live, ring, FIELDS)
        ring_of_keys.retire(self.live, ring, 1, FIELDS, refresh=AT_ONCE)
        if destroys:
            ring_of_keys.destroy(self.live, ring, 1, FIELDS, refresh=AT_ONCE)

    def keys(self) -> set[int | None]:
        return {key_of(value) for row in self.live.execute("SELECT email, note FROM people") for value in row.values()}

    def problems(self) -> list[str]:
        return problems(self.live, ring_of_keys.load_ring(self.live, self.provider), self.rows)


def all_were_deleted(storages: Sequence[Storage]) -> Gone:
    return Gone(emptied=[one.relation for one in storages])


@pytest.fixture
def sides(cluster: Cluster, empty_db: Url, tmp_path: Path) -> Iterator[Sides]:
    ring_of_keys.ensure_local_key(tmp_path / "fields.key")
    provider = ring_of_keys.provider_from("file:fields.key", tmp_path)
    with connect(empty_db) as live:
        make_table(live)
        ring_of_keys.ensure(live, provider)
        rows = fill(live, ring_of_keys.load_ring(live, provider), 30)
    past_name = f"{empty_db.database}_past"
    cluster.create_database(past_name, template=empty_db.database)
    with connect(empty_db) as live, connect(cluster.superuser_url(past_name)) as past:
        yield Sides(live, past, provider, rows)
    cluster.drop_database(past_name)


@pytest.mark.parametrize("destroys", [False, True])
def test_rows_of_a_key_that_is_no_longer_active_are_sealed_by_todays_and_found(sides: Sides, destroys: bool) -> None:
    sides.change_key(destroys=destroys)
    sides.live.execute("DELETE FROM people WHERE id = ANY(%s)", [list(sides.rows)[:10]])

    done = put_back(sides.live, sides.past, PEOPLE, resealer=sides.resealer)
    again = put_back(sides.live, sides.past, PEOPLE, resealer=sides.resealer, deletions=all_were_deleted)

    assert (done.restored, done.conflicts) == ({"people": 10}, ())
    assert (again.restored, again.conflicts) == ({}, ())
    assert sides.keys() == {2}
    assert sides.problems() == []


def test_an_address_that_is_taken_is_seen_although_its_digest_was_another(sides: Sides) -> None:
    sides.change_key(destroys=False)
    first, second, *_ = sides.rows
    sides.live.execute("DELETE FROM people WHERE id = %s", [first])
    ring = ring_of_keys.load_ring(sides.live, sides.provider)
    digest, _ = ring.field("people", "email").written(sides.rows[first].encode())
    sides.live.execute("UPDATE people SET email_bidx = %s WHERE id = %s", [digest, second])

    done = put_back(sides.live, sides.past, PEOPLE, resealer=sides.resealer)

    assert [one.reason for one in done.conflicts] == ["the value of people_email_bidx_key is taken"]


def test_a_value_that_only_another_key_seals_now_has_not_changed(sides: Sides) -> None:
    sides.change_key(destroys=False)
    key = next(iter(sides.rows))
    ring = ring_of_keys.load_ring(sides.live, sides.provider)
    sides.live.execute("UPDATE people SET note = %s WHERE id = %s", [ring.field("people", "note").seal(key, b"another"), key])

    done = put_back(sides.live, sides.past, PEOPLE, changed=True, where="note IS NOT NULL", resealer=sides.resealer)

    assert done.changed == 1
    assert sides.keys() == {2}
    assert sides.problems() == []


def test_a_column_that_was_encrypted_since_is_sealed_on_the_way(sides: Sides) -> None:
    sides.past.execute("ALTER TABLE people DROP COLUMN email, DROP COLUMN email_bidx, DROP COLUMN email_bidx_next")
    sides.past.execute("ALTER TABLE people ADD COLUMN email text")
    for key, email in sides.rows.items():
        sides.past.execute("UPDATE people SET email = %s WHERE id = %s", [email, key])
    sides.live.execute("DELETE FROM people")
    with pytest.raises(Refused, match="was a text then and is bytea now"):
        put_back(sides.live, sides.past, PEOPLE, resealer=WithoutKeys())

    done = put_back(sides.live, sides.past, PEOPLE, resealer=sides.resealer)

    assert (done.restored, done.added) == ({"people": 30}, ())
    assert sides.problems() == []


@pytest.mark.parametrize("key", [UUID(int=0xFF << 120), UUID(bytes=b"reads as a text.")])
def test_what_a_purge_left_of_a_person_comes_back_as_it_was(sides: Sides, key: UUID) -> None:
    sides.change_key(destroys=True)
    row = [key, key.bytes, sha256(key.bytes).digest(), None, ERASED]
    sides.past.execute("INSERT INTO people (id, email, email_bidx, email_bidx_next, note) VALUES (%s, %s, %s, %s, %s)", row)
    sides.live.execute("DELETE FROM people WHERE id = %s", [next(iter(sides.rows))])

    done = put_back(sides.live, sides.past, PEOPLE, resealer=sides.resealer)

    found = sides.live.execute("SELECT * FROM people WHERE id = %s", [key]).fetchone()
    assert (done.restored, list((found or {}).values())) == ({"people": 2}, row)
    sides.live.execute("DELETE FROM people WHERE id = %s", [key])
    assert sides.problems() == []


class Persons:
    """Notes that are sealed by the key of the person whose row it is, in a database and in what it was before."""

    NOTE = EncryptedField(("people",), "note", "id", by_subject=True)
    FIELDS = (EMAIL, NOTE)

    def __init__(self, sides: Sides, url: Url) -> None:
        self.sides, self.url = sides, url
        self.resealer = Resealing(self.FIELDS, sides.provider, sides.live, sides.past)
        with self.opened() as ring:
            for key in sides.rows:
                note = ring.field("people", "note", by_subject=True).seal(key, f"about {key}".encode())
                for side in (sides.live, sides.past):
                    side.execute("UPDATE people SET note = %s WHERE id = %s", [note, key])
        for row in sides.live.execute("SELECT id, wrapped FROM pgkeel.subject_keys").fetchall():
            sides.past.execute("INSERT INTO pgkeel.subject_keys (id, wrapped) VALUES (%(id)s, %(wrapped)s)", row)

    @contextmanager
    def opened(self) -> Iterator[KeyRing]:
        """Yield today's ring."""
        with connect(self.url) as beside:
            yield ring_of_keys.load_ring(self.sides.live, self.sides.provider, lambda: beside)

    def change_key(self) -> None:
        with self.opened() as ring:
            ring_of_keys.activate(self.sides.live, ring_of_keys.add(self.sides.live, self.sides.provider).id, refresh=AT_ONCE)
            ring.take(ring_of_keys.keys_of(self.sides.live))
            ring_of_keys.rotate(self.sides.live, ring, self.FIELDS)
            ring_of_keys.retire(self.sides.live, ring, 1, self.FIELDS, refresh=AT_ONCE)
            ring_of_keys.destroy(self.sides.live, ring, 1, self.FIELDS, refresh=AT_ONCE)

    def notes(self) -> dict[UUID, str]:
        found = self.sides.live.execute("SELECT id, note FROM people").fetchall()
        with self.opened() as ring:
            cipher = ring.field("people", "note", by_subject=True)
            return {
                row["id"]: "erased" if row["note"] == ERASED else cipher.open(row["id"], row["note"]).decode() for row in found
            }

    def written(self) -> dict[UUID, str]:
        return {key: f"about {key}" for key in self.sides.rows}


@pytest.fixture
def persons(sides: Sides, empty_db: Url) -> Persons:
    return Persons(sides, empty_db)


@pytest.mark.parametrize("loses", [False, True], ids=["known", "lost"])
def test_what_the_key_of_a_person_sealed_comes_back_under_it(persons: Persons, loses: bool) -> None:
    sides = persons.sides
    persons.change_key()
    sides.live.execute("DELETE FROM people WHERE id = ANY(%s)", [list(sides.rows)[:10]])
    if loses:
        sides.live.execute("DELETE FROM pgkeel.subject_keys WHERE id = ANY(%s)", [[str(key) for key in list(sides.rows)[:10]]])

    done = put_back(sides.live, sides.past, PEOPLE, resealer=persons.resealer)

    assert (done.restored, done.conflicts) == ({"people": 10}, ())
    assert sides.keys() == {2}
    assert persons.notes() == persons.written()


def test_a_person_who_was_erased_since_stays_erased(persons: Persons) -> None:
    sides = persons.sides
    gone, *_ = sides.rows
    ring_of_keys.erase(sides.live, persons.FIELDS, str(gone))
    sides.live.execute("DELETE FROM people")

    done = put_back(sides.live, sides.past, PEOPLE, resealer=persons.resealer)

    assert done.restored == {"people": 30}
    assert persons.notes() == persons.written() | {gone: "erased"}
