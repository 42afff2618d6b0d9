"""What the audit log holds of encrypted columns: values that a key sealed, and clear ones from before."""

from datetime import timedelta
from uuid import UUID

import pytest

from pgkeel.core import clock
from pgkeel.core.cipher import header_of
from pgkeel.postgres import Connection
from pgkeel.schema.field import EncryptedField
from pgkeel.security.audit import Watched, install, plan, retire
from pgkeel.security.audit.holding import AuditParts
from pgkeel.security.keys import WrappedKey
from tests.security.test_audit import bare, db, people, seal_it

__all__ = ["bare", "db"]

EMAIL = EncryptedField(("people",), "email", "id")


def key(number: int) -> WrappedKey:
    return WrappedKey(number, "retired", "test", b"", clock.now())


def parts(db: Connection) -> AuditParts:
    install(db, plan(db, [Watched("public", "people", ("password_hash",))]))
    return AuditParts(db)


def test_a_partition_that_holds_values_of_a_key_is_named(db: Connection) -> None:
    found = parts(db)
    db.execute("ALTER TABLE people ADD COLUMN note bytea")
    install(db, plan(db, [Watched("public", "people", ("password_hash",))]))
    for number, sealed in enumerate([header_of(7), header_of(9, by_subject=True)]):
        db.execute("INSERT INTO people (id, note) VALUES (%s, %s)", [number, sealed + bytes(40)])
    month = f"audit partition audit.log_{clock.now():%Y_%m}"
    assert found.holding(key(7)) == ["audit partition audit.waiting"]
    seal_it(db)

    assert [found.holding(key(number)) for number in (7, 8, 9)] == [[month], [], [month]]
    assert found.copies_of(EncryptedField(("people",), "note", "id"), None) == []


@pytest.mark.parametrize("begins", [0xFF, 0x40, 0x02, 0x00])
def test_what_a_purge_leaves_of_a_person_is_no_clear_value(db: Connection, begins: int) -> None:
    db.execute("CREATE TABLE persons (id uuid PRIMARY KEY, email bytea)")
    install(db, plan(db, [Watched("public", "persons")]))
    row = UUID(int=begins << 120)
    db.execute("INSERT INTO persons VALUES (%s, %s)", [row, header_of(1) + bytes(40)])

    db.execute("UPDATE persons SET email = uuid_send(id)")
    purged = AuditParts(db).copies_of(EncryptedField(("persons",), "email", "id"), None)
    db.execute("UPDATE persons SET email = 'clear'")
    (written,) = AuditParts(db).copies_of(EncryptedField(("persons",), "email", "id"), None)

    assert purged == []
    assert written.where == "audit.waiting (1 row)"


def test_clear_values_in_the_log_are_counted_until_their_partition_is_dropped(db: Connection) -> None:
    found = parts(db)
    people(db, 3)
    seal_it(db)
    db.execute("UPDATE people SET email = 'other@example.com' WHERE id = 1")
    name = f"audit.log_{clock.now():%Y_%m}"
    waiting, place = sorted(found.copies_of(EMAIL, None), key=lambda one: one.where, reverse=True)
    seal_it(db)
    (sealed,) = found.copies_of(EMAIL, None)
    retire(db, keep=timedelta(days=-60))
    (detached,) = found.copies_of(EMAIL, None)

    assert (place.kind, place.where, waiting.where) == ("audit", f"{name} (3 rows)", "audit.waiting (1 row)")
    assert sealed.where == f"{name} (4 rows)"
    assert detached.until == f"DROP TABLE {name}"
    assert found.copies_of(EncryptedField(("people",), "password_hash", "id"), None) == []
