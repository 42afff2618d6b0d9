"""A clear column becomes an encrypted one beside the application, and back; killed at any batch, and never half."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import psycopg
import pytest
from psycopg.errors import UniqueViolation
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import conv

from pgkeel.core.cipher import ERASED
from pgkeel.core.errors import KeelError, NotFound, Refused, UsageError
from pgkeel.core.ids import random_id
from pgkeel.core.normal_form import normal_form
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.migrations import Options, Source, backfill, down, up
from pgkeel.migrations.backfill.keys import find_target
from pgkeel.migrations.errors import BackfillFailed, BackfillMissing, NotReady
from pgkeel.postgres import Connection, connect
from pgkeel.schema.field import EncryptedField
from pgkeel.security.encryption import MigrationText, change_of, is_waited_for, plan_decryption, plan_encryption
from pgkeel.security.encryption.column import find_column
from pgkeel.security.encryption.remains import remains, scrub
from pgkeel.security.keys import KeyRing, ensure, ensure_local_key, load_ring, provider_from, rotate
from tests.security.sealed_table import OURS

ROOT = Path(__file__).parents[2]
WAITS = (NotReady, BackfillMissing)
QUIET = "FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
TABLE = """-- Up Migration
BEGIN;
CREATE TABLE people (
    id uuid PRIMARY KEY,
    email varchar(255) NOT NULL,
    phone varchar(20),
    CONSTRAINT idx_people_email UNIQUE (email),
    CONSTRAINT people_email_check CHECK (email LIKE '%@%')
);
CREATE INDEX idx_people_phone ON people (phone);
CREATE INDEX idx_people_words ON people USING gin (to_tsvector('english', email));
CREATE INDEX idx_people_called ON people (id) WHERE phone <> '';
COMMIT;

-- Down Migration
BEGIN;
DROP TABLE people;
COMMIT;
"""


@pytest.fixture
def app(tmp_path: Path) -> Source:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "20240101000000_people.sql").write_text(TABLE)
    return Source("app", folder)


@pytest.fixture
def connection(empty_db: Url, app: Source) -> Iterator[Connection]:
    with connect(empty_db) as opened:
        up(opened, [OURS, app])
        yield opened


@pytest.fixture
def ring(connection: Connection, tmp_path: Path) -> KeyRing:
    ensure_local_key(tmp_path / "fields.key")
    provider = provider_from("file:fields.key", tmp_path)
    ensure(connection, provider)
    return load_ring(connection, provider)


def write(app: Source, planned: tuple[MigrationText, ...], first: str) -> None:
    """Write planned migrations as `pgkeel security encrypt` does, under versions that sort behind each other."""
    for number, each in enumerate(planned):
        name = f"{int(first) + number}_{each.words.replace(' ', '_')}.sql"
        (app.folder / name).write_text(each.text.replace("{version}", first))


def encrypt(connection: Connection, app: Source) -> None:
    email = find_column(connection, "people.email", sealed=False)
    phone = find_column(connection, "people.phone", sealed=False)
    write(app, plan_encryption(email, index="email", unique="idx_people_email"), "20240102000000")
    write(app, plan_encryption(phone, index=None, unique=None), "20240103000000")


def fill(connection: Connection, count: int) -> dict[UUID, str]:
    rows = {random_id(): f"user{number}@example.org" for number in range(count)}
    with connection.cursor() as cursor, cursor.copy("COPY people (id, email, phone) FROM STDIN") as copy:
        for key, email in rows.items():
            copy.write_row((key, email, None if key.int % 3 else "020 1234"))
    return rows


def seal(connection: Connection, ring: KeyRing) -> None:
    backfill.run(connection, resolve=lambda code: change_of(code, ring), waits=is_waited_for)


def columns(connection: Connection) -> dict[str, str]:
    query = "SELECT column_name, udt_name, is_nullable FROM information_schema.columns WHERE table_name = 'people' ORDER BY 1"
    return {
        row["column_name"]: f"{row['udt_name']}{'' if row['is_nullable'] == 'YES' else ' not null'}"
        for row in _rows(connection, query)
    }


def rules(connection: Connection) -> dict[str, str]:
    query = (
        "SELECT conname AS name, pg_get_constraintdef(oid) AS rule FROM pg_constraint WHERE conrelid = 'people'::regclass"
        " AND contype <> 'n' UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'people'"
    )
    return {row["name"]: row["rule"].replace("public.", "") for row in _rows(connection, query)}


def _rows(connection: Connection, query: str) -> list[dict[str, Any]]:
    return connection.execute(query.encode()).fetchall()


def test_a_column_is_encrypted_and_its_constraint_stays(connection: Connection, app: Source, ring: KeyRing) -> None:
    rows = fill(connection, 120)
    encrypt(connection, app)
    with pytest.raises(WAITS) as caught:
        up(connection, [OURS, app])
    assert caught.value.exit_code == 4
    assert "backfill" in caught.value.hint
    with pytest.raises(BackfillMissing):
        up(connection, [OURS, app])
    seal(connection, ring)
    with pytest.raises(WAITS):
        up(connection, [OURS, app])
    seal(connection, ring)
    up(connection, [OURS, app])
    assert columns(connection) == {
        "email": "bytea not null",
        "email_bidx": "bytea not null",
        "email_bidx_next": "bytea",
        "id": "uuid not null",
        "phone": "bytea",
    }
    found = rules(connection)
    assert found["idx_people_email"].endswith("(email_bidx)")
    assert found.keys().isdisjoint({"people_email_check", "idx_people_words", "idx_people_called"})
    email, phone = ring.field("people", "email"), ring.field("people", "phone")
    for row in _rows(connection, "SELECT * FROM people"):
        assert email.open(row["id"], row["email"]).decode() == rows[row["id"]]
        assert row["email_bidx"] == email.written(normal_form("email", rows[row["id"]]))[0]
        assert row["phone"] is None or phone.open(row["id"], row["phone"]) == b"020 1234"


def test_a_row_that_is_written_in_the_old_way_meanwhile_stops_the_switch(
    connection: Connection, app: Source, ring: KeyRing
) -> None:
    rows = fill(connection, 5)
    encrypt(connection, app)
    with pytest.raises(WAITS):
        up(connection, [OURS, app])
    seal(connection, ring)
    key = next(iter(rows))
    connection.execute("UPDATE people SET email = 'changed@example.org' WHERE id = %s", (key,))
    row = connection.execute("SELECT email_sealed, email_bidx FROM people WHERE id = %s", (key,)).fetchone()
    assert row == {"email_sealed": None, "email_bidx": None}
    with pytest.raises(NotReady) as caught:
        up(connection, [OURS, app])
    assert "example" not in str(caught.value)
    assert "email_sealed" in columns(connection)
    _to_the_end(connection, app, ring)
    row = connection.execute("SELECT email FROM people WHERE id = %s", (key,)).fetchone()
    assert row is not None
    assert ring.field("people", "email").open(key, row["email"]) == b"changed@example.org"


def test_an_empty_table_goes_the_whole_way_and_back(connection: Connection, app: Source) -> None:
    before = columns(connection), rules(connection)
    encrypt(connection, app)
    up(connection, [OURS, app])
    assert columns(connection)["email"] == "bytea not null"
    down(connection, [app], Options(to="20240101000000", allow_data_loss=True))
    assert (columns(connection), rules(connection)) == before
    up(connection, [OURS, app])
    assert columns(connection)["email"] == "bytea not null"


def test_the_way_back_is_refused_while_there_are_rows(connection: Connection, app: Source, ring: KeyRing) -> None:
    fill(connection, 3)
    encrypt(connection, app)
    with pytest.raises(WAITS):
        up(connection, [OURS, app])
    for _ in range(2):
        seal(connection, ring)
        _up_or_wait(connection, app)
    with pytest.raises(KeelError):
        down(connection, [app], Options(to="20240101000000"))
    assert len(_rows(connection, "SELECT FROM people WHERE email IS NOT NULL")) == 3


def test_an_encrypted_column_becomes_clear_again(connection: Connection, app: Source, ring: KeyRing) -> None:
    rows = fill(connection, 30)
    encrypt(connection, app)
    _to_the_end(connection, app, ring)
    email = find_column(connection, "people.email", sealed=True)
    planned = plan_decryption(email, index="email", unique="people_email_key", type_="varchar(255)")
    write(app, planned, "20240104000000")
    _to_the_end(connection, app, ring)
    assert {row["id"]: row["email"] for row in _rows(connection, "SELECT id, email FROM people")} == rows
    assert columns(connection) == {"email": "varchar not null", "id": "uuid not null", "phone": "bytea"}
    with pytest.raises(UniqueViolation):
        connection.execute("INSERT INTO people (id, email) SELECT gen_random_uuid(), email FROM people LIMIT 1")


def test_of_persons_who_were_purged_or_erased_the_rows_id_becomes_clear(
    connection: Connection, app: Source, ring: KeyRing
) -> None:
    rows = fill(connection, 6)
    encrypt(connection, app)
    _to_the_end(connection, app, ring)
    purged, erased, *_ = rows
    connection.execute("UPDATE people SET email = uuid_send(id) WHERE id = %s", [purged])
    connection.execute("UPDATE people SET email = %s WHERE id = %s", [ERASED, erased])
    email = find_column(connection, "people.email", sealed=True)
    write(app, plan_decryption(email, index="email", unique="people_email_key", type_="varchar(255)"), "20240104000000")
    _to_the_end(connection, app, ring)
    left = {purged: str(purged), erased: str(erased)}
    assert {row["id"]: row["email"] for row in _rows(connection, "SELECT id, email FROM people")} == rows | left


def test_the_way_back_to_clear_values_goes_back_itself_on_an_empty_table(connection: Connection, app: Source) -> None:
    encrypt(connection, app)
    up(connection, [OURS, app])
    before = columns(connection), rules(connection)
    email = find_column(connection, "people.email", sealed=True)
    write(app, plan_decryption(email, index="email", unique="people_email_key", type_="text"), "20240104000000")
    up(connection, [OURS, app])
    down(connection, [app], Options(to="20240104000000", allow_data_loss=True))
    assert "people_email_clear_key" in rules(connection)
    down(connection, [app], Options(to="20240103000002", allow_data_loss=True))
    assert (columns(connection), rules(connection)) == before
    up(connection, [OURS, app], Options(to="20240104000001"))
    connection.execute("INSERT INTO people (id, email) VALUES (gen_random_uuid(), 'ada@example.org')")
    up(connection, [OURS, app])
    assert columns(connection)["email"] == "text not null"


@pytest.mark.parametrize(
    "made", ["CREATE UNIQUE INDEX apart ON people (lower(phone))", "ALTER TABLE people ADD CONSTRAINT apart UNIQUE (phone)"]
)
def test_equal_values_that_are_kept_apart_stay_apart_or_nothing_is_planned(connection: Connection, made: str) -> None:
    connection.execute(made.encode())
    phone = find_column(connection, "people.phone", sealed=False)
    with pytest.raises(Refused, match=r"people\.phone would lose apart") as caught:
        plan_encryption(phone, index="digits", unique=None)
    assert "--unique idx_people_phone" in str(caught.value.hint)
    assert "ADD CONSTRAINT called" in plan_encryption(phone, index="digits", unique="called")[1].text


def test_a_constraint_over_more_columns_or_some_rows_keeps_nothing_apart_by_itself(connection: Connection) -> None:
    connection.execute("ALTER TABLE people ADD UNIQUE (phone, id)")
    connection.execute("CREATE UNIQUE INDEX ON people (phone) WHERE phone LIKE '+%'")
    assert find_column(connection, "people.phone", sealed=False).apart == ()


def test_digests_that_are_kept_apart_need_a_constraint_over_clear_values(connection: Connection, app: Source) -> None:
    encrypt(connection, app)
    up(connection, [OURS, app])
    email = find_column(connection, "people.email", sealed=True)
    with pytest.raises(Refused, match=r"people\.email would lose idx_people_email"):
        plan_decryption(email, index="email", unique=None, type_="text")
    with pytest.raises(UsageError, match="idx_people_email stands until"):
        plan_decryption(email, index="email", unique="idx_people_email", type_="text")
    with pytest.raises(Refused, match="encrypted already"):
        find_column(connection, "people.email", sealed=False)


def _up_or_wait(connection: Connection, app: Source) -> bool:
    try:
        up(connection, [OURS, app])
    except WAITS:
        return False
    return True


def _to_the_end(connection: Connection, app: Source, ring: KeyRing) -> None:
    for _ in range(5):
        if _up_or_wait(connection, app):
            return
        seal(connection, ring)
    pytest.fail("the switch never came")


def test_what_was_clear_is_listed_until_it_is_gone(
    connection: Connection, app: Source, ring: KeyRing, cluster: Cluster, empty_db: Url
) -> None:
    field = EncryptedField(("people",), "email", "id", "email")
    fill(connection, 50)
    (before,) = remains(connection, field)
    assert (before.kind, before.where) == ("column", "people.email (50 values)")
    assert "security encrypt people.email" in before.until
    with connection.transaction():
        for _ in range(8):  # on several pages, of which what comes later writes over some
            connection.execute("ANALYZE people")
    email = find_column(connection, "people.email", sealed=False)
    write(app, plan_encryption(email, index="email", unique="idx_people_email"), "20240102000000")
    with pytest.raises(WAITS):
        up(connection, [OURS, app])
    seal(connection, ring)
    up(connection, [OURS, app], Options(to="20240102000001"))
    assert [(place.kind, place.where) for place in remains(connection, field)] == [("column", "people.email_clear (50 values)")]
    with pytest.raises(Refused):
        scrub(connection, field)
    up(connection, [OURS, app])
    assert {place.kind for place in remains(connection, field)} == {"table file", "wal"}
    connection.execute("CHECKPOINT")
    assert b"user7@example.org" in _file_of(connection, cluster)
    assert b"user7@example.org" in _file_of(connection, cluster, "pg_statistic")
    with connect(empty_db) as other, other.transaction():
        other.execute("SELECT FROM people")
        with pytest.raises(Refused, match="not free"):
            scrub(connection, field, wait=timedelta(milliseconds=50))
    scrub(connection, field)
    connection.execute("CHECKPOINT")
    assert b"example.org" not in _file_of(connection, cluster)
    assert b"example.org" not in _file_of(connection, cluster, "pg_statistic")
    assert {place.kind for place in remains(connection, field)} <= {"wal"}


def test_the_wal_that_was_written_to_when_a_table_was_scrubbed_is_listed(
    connection: Connection, app: Source, ring: KeyRing, cluster: Cluster
) -> None:
    fill(connection, 50)
    field = EncryptedField(("people",), "email", "id", "email")
    email = find_column(connection, "people.email", sealed=False)
    write(app, plan_encryption(email, index="email", unique="idx_people_email"), "20240102000000")
    _to_the_end(connection, app, ring)
    scrub(connection, field)
    clear = [file for file in (cluster.data / "pg_wal").glob("0*") if b"user7@example.org" in file.read_bytes()]
    time.sleep(1.1)  # files say whole seconds
    connection.execute("SELECT pg_logical_emit_message(false, 'later', 'later')")
    connection.execute("SELECT pg_switch_wal()")
    listed = [place.where for place in remains(connection, field) if place.kind == "wal"]
    assert clear
    assert int(listed[0].split()[0]) >= len(clear)


def test_a_column_that_was_clear_again_since_it_was_scrubbed_is_listed_again(
    connection: Connection, app: Source, ring: KeyRing
) -> None:
    fill(connection, 5)
    field = EncryptedField(("people",), "email", "id", "email")
    email = find_column(connection, "people.email", sealed=False)
    write(app, plan_encryption(email, index="email", unique="idx_people_email"), "20240102000000")
    _to_the_end(connection, app, ring)
    scrub(connection, field)
    assert {place.kind for place in remains(connection, field)} <= {"wal"}
    connection.execute("ALTER TABLE people ADD COLUMN unrelated text")
    connection.execute("ALTER TABLE people DROP COLUMN unrelated")
    assert {place.kind for place in remains(connection, field)} <= {"wal"}
    email = find_column(connection, "people.email", sealed=True)
    write(app, plan_decryption(email, index="email", unique="people_email_key", type_="text"), "20240104000000")
    _to_the_end(connection, app, ring)
    email = find_column(connection, "people.email", sealed=False)
    write(app, plan_encryption(email, index="email", unique="idx_people_email"), "20240105000000")
    _to_the_end(connection, app, ring)
    assert {place.kind for place in remains(connection, field)} == {"table file", "wal"}
    scrub(connection, field)
    assert {place.kind for place in remains(connection, field)} <= {"wal"}


def _file_of(connection: Connection, cluster: Cluster, table: str = "people") -> bytes:
    path = connection.execute("SELECT pg_relation_filepath(%s) AS path", (table,)).fetchone()
    return (cluster.data / str(path and path["path"])).read_bytes()


def test_a_value_that_a_later_trigger_changes_is_sealed_as_it_became(connection: Connection, app: Source, ring: KeyRing) -> None:
    key = next(iter(fill(connection, 1)))
    connection.execute("ALTER TABLE people ADD COLUMN town text")
    connection.execute(
        "CREATE FUNCTION with_town() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.email := NEW.town || '@example.org'; RETURN NEW; END $$"
    )
    connection.execute("CREATE TRIGGER zz_town BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION with_town()")
    connection.execute("UPDATE people SET town = 'london'")
    email = find_column(connection, "people.email", sealed=False)
    planned = plan_encryption(email, index="email", unique="idx_people_email")
    write(app, planned, "20240102000000")
    with pytest.raises(WAITS):
        up(connection, [OURS, app])
    seal(connection, ring)
    connection.execute("UPDATE people SET town = 'paris'")
    with pytest.raises(WAITS):
        up(connection, [OURS, app])
    connection.execute("DROP TRIGGER zz_town ON people")
    _to_the_end(connection, app, ring)
    row = _rows(connection, "SELECT email FROM people")[0]
    assert ring.field("people", "email").open(key, row["email"]) == b"paris@example.org"


def test_long_names_of_table_and_column_go_the_whole_way_and_back(connection: Connection, app: Source, ring: KeyRing) -> None:
    table, column = "customer_relationship_contact_persons", "preferred_electronic_contact_address"
    connection.execute(f"CREATE TABLE {table} (id uuid PRIMARY KEY, {column} text NOT NULL)".encode())
    connection.execute(f"INSERT INTO {table} VALUES (gen_random_uuid(), 'ada@example.org')".encode())
    clear = find_column(connection, f"{table}.{column}", sealed=False)
    write(app, plan_encryption(clear, index="email", unique="idx_ccp"), "20240102000000")
    _to_the_end(connection, app, ring)
    made = _rows(
        connection, f"SELECT conname FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'u' ORDER BY 1"
    )
    preparer: Any = postgresql.dialect().identifier_preparer  # type: ignore[no-untyped-call]
    declared = preparer.truncate_and_render_constraint_name(conv(f"{table}_{column}_bidx_next_key"))
    assert [row["conname"] for row in made] == [declared, "idx_ccp"]
    sealed = find_column(connection, f"{table}.{column}", sealed=True)
    write(app, plan_decryption(sealed, index="email", unique="ccp_key", type_="text"), "20240104000000")
    _to_the_end(connection, app, ring)
    assert _rows(connection, f"SELECT {column} AS email FROM {table}") == [{"email": "ada@example.org"}]


def test_rows_whose_values_become_equal_are_named_and_not_their_values(
    connection: Connection, app: Source, ring: KeyRing
) -> None:
    encrypt(connection, app)
    rows = [random_id(), random_id()]
    put = "INSERT INTO people (id, email) VALUES (%s, %s)"
    connection.execute(put, (rows[0], "ada@example.org"))
    connection.execute(put, (rows[1], "ADA@example.org"))
    with pytest.raises(WAITS):
        up(connection, [OURS, app])
    with pytest.raises(BackfillFailed) as both:
        seal(connection, ring)
    connection.execute("DELETE FROM people WHERE id = %s", (rows[1],))
    seal(connection, ring)
    connection.execute(put, (rows[1], "Ada@Example.org"))
    with pytest.raises(BackfillFailed) as later:
        seal(connection, ring)
    for caught in (both, later):
        assert all(str(key) in caught.value.message for key in rows)
        assert "example" not in str(caught.value).lower()
        assert "--unique" in caught.value.hint


def test_a_row_that_does_not_become_clear_is_named(connection: Connection, app: Source, ring: KeyRing) -> None:
    rows = list(fill(connection, 2))
    encrypt(connection, app)
    _to_the_end(connection, app, ring)
    write(
        app,
        plan_decryption(
            find_column(connection, "people.email", sealed=True), index="email", unique="people_email_key", type_="varchar(20)"
        ),
        "20240104000000",
    )
    with pytest.raises(WAITS):
        up(connection, [OURS, app])
    cipher = ring.field("people", "email")
    values = [
        cipher.seal(rows[0], b"a\0b@example.org"),
        cipher.seal(rows[0], b"a" * 21),
        cipher.seal(rows[1], b"ada@example.org"),
    ]
    for value in values:
        connection.execute("UPDATE people SET email = %s WHERE id = %s", (value, rows[0]))
        with pytest.raises(BackfillFailed, match=str(rows[0])) as caught:
            seal(connection, ring)
        assert "example" not in str(caught.value)


@pytest.fixture
def keeper(connection: Connection) -> Iterator[str]:
    """A role that owns the table and sees no row of it."""
    role = f"keeper_{random_id().hex}"
    for statement in (
        f"CREATE ROLE {role}",
        f"GRANT CREATE ON SCHEMA public TO {role}",
        f"ALTER TABLE people OWNER TO {role}",
        "ALTER TABLE people ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE people FORCE ROW LEVEL SECURITY",
        "CREATE POLICY own ON people USING (current_setting('app.tenant', true) = 'a')",
    ):
        connection.execute(statement.encode())
    yield role
    connection.execute("RESET ROLE")
    connection.execute(f"DROP OWNED BY {role} CASCADE".encode())
    connection.execute(f"DROP ROLE {role}".encode())


def test_rows_that_a_policy_hides_from_the_owner_are_not_lost(
    connection: Connection, app: Source, ring: KeyRing, keeper: str
) -> None:
    fill(connection, 3)
    connection.execute(f"SET ROLE {keeper}".encode())
    with pytest.raises(Refused, match="row-level security") as caught:
        find_column(connection, "people.email", sealed=False)
    assert "NO FORCE" in caught.value.hint
    connection.execute("ALTER TABLE people NO FORCE ROW LEVEL SECURITY")
    email = find_column(connection, "people.email", sealed=False)
    planned = plan_encryption(email, index="email", unique="idx_people_email")
    assert "row_security = off" in planned[1].text
    connection.execute("ALTER TABLE people FORCE ROW LEVEL SECURITY")
    with pytest.raises(Refused, match="row-level security") as caught:
        find_target(connection, "people", None)
    assert "NO FORCE" in caught.value.hint
    connection.execute("RESET ROLE")
    write(app, planned, "20240102000000")
    _to_the_end(connection, app, ring)
    connection.execute(f"SET ROLE {keeper}".encode())
    with pytest.raises(Refused, match="row-level security"):
        rotate(connection, ring, [EncryptedField(("people",), "email", "id", "email")])


def test_the_default_of_a_column_comes_back_with_its_down(connection: Connection) -> None:
    connection.execute("ALTER TABLE people ALTER phone SET DEFAULT 'none'")
    _, _, contract = plan_encryption(find_column(connection, "people.phone", sealed=False), index=None, unique=None)
    assert "ADD COLUMN phone_clear varchar(20) DEFAULT 'none'::character varying;" in contract.text.replace(
        "character varying(20)", "varchar(20)"
    )


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("people", UsageError),
        ('people."email"', UsageError),
        ("people.email; DROP TABLE people", UsageError),
        ("people.nothing", NotFound),
        ("nothing.email", NotFound),
        ("people.id", Refused),
        ("pairs.body", Refused),
        ("named.name", Refused),
        ("titled.name", Refused),
        ("made.name", Refused),
        ("mother.name", Refused),
        ("daughter.name", Refused),
        ("halfway.name", Refused),
    ],
)
def test_a_column_that_cannot_be_encrypted_is_refused(connection: Connection, name: str, error: type[KeelError]) -> None:
    connection.execute("CREATE TABLE pairs (a int, b int, body text, PRIMARY KEY (a, b))")
    connection.execute("CREATE TABLE named (name text PRIMARY KEY)")
    connection.execute("CREATE TABLE made (id int PRIMARY KEY, name text GENERATED ALWAYS AS (repeat('x', id)) STORED)")
    connection.execute("CREATE TABLE mother (id int PRIMARY KEY, name text)")
    connection.execute("CREATE TABLE daughter (PRIMARY KEY (id)) INHERITS (mother)")
    connection.execute("CREATE TABLE titled (code text PRIMARY KEY, name text)")
    connection.execute("CREATE TABLE halfway (id uuid PRIMARY KEY, name text, name_sealed bytea)")
    with pytest.raises(error) as caught:
        find_column(connection, name, sealed=False)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("made", "reader"),
    [
        ("CREATE VIEW addresses AS SELECT email FROM people", "view addresses"),
        ("CREATE MATERIALIZED VIEW addresses AS SELECT lower(email) FROM people", "materialized view addresses"),
        ("ALTER TABLE people ADD lowered text GENERATED ALWAYS AS (lower(email)) STORED", "column lowered of table people"),
        ("CREATE TABLE letters (email text REFERENCES people (email))", "constraint letters_email_fkey on table letters"),
        ("CREATE POLICY own ON people USING (email = current_user)", "policy own on table people"),
        (f"CREATE TRIGGER quiet BEFORE UPDATE OF email ON people {QUIET}", "trigger quiet on table people"),
    ],
)
def test_what_else_reads_a_column_is_named_where_the_switch_has_to_care_for_it(
    connection: Connection, made: str, reader: str
) -> None:
    connection.execute(made)

    found = find_column(connection, "people.email", sealed=False)
    _, switch, _ = plan_encryption(found, index="email", unique="idx_people_email")
    assert found.readers == (reader,)
    assert f"-- Read by {reader}: " in switch.text


def test_contract_is_refused_while_a_view_reads_the_old_form(connection: Connection, app: Source, ring: KeyRing) -> None:
    connection.execute("CREATE VIEW addresses AS SELECT email FROM people")
    encrypt(connection, app)
    with pytest.raises(KeelError, match="other objects depend on it"):
        up(connection, [OURS, app])
    assert "email_clear" in columns(connection)


def test_a_part_of_a_partitioned_table_is_refused(connection: Connection) -> None:
    connection.execute("CREATE TABLE parts (id int PRIMARY KEY, body text) PARTITION BY RANGE (id)")
    connection.execute("CREATE TABLE part PARTITION OF parts DEFAULT")
    for name in ("parts.body", "part.body"):
        with pytest.raises(Refused, match="is no plain table"):
            find_column(connection, name, sealed=False)


def test_code_that_we_did_not_write_is_refused(ring: KeyRing) -> None:
    for code in ("encrypt.people.email:email", "encrypt.a.b.c.d.e:email", "encrypt.people.email.id:soundex"):
        with pytest.raises(NotFound):
            change_of(code, ring)


class Life:
    """A reader and a writer, first of the clear column and the sealed one, after the switch of the sealed one alone."""

    def __init__(self, url: Url, ring: KeyRing, rows: dict[UUID, str]) -> None:
        self.rows, self.errors = rows, list[str]()
        self.reads = self.writes = self.refused = 0
        self._url, self._ring = url, ring
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

    def _run(self, act: Callable[[Connection, UUID, int], None]) -> None:
        keys, number = list(self.rows), 0
        with connect(self._url) as connection:
            while not self._end.wait(0.001):
                number += 1
                key = random.choice(keys)
                with self._locks[key]:
                    try:
                        act(connection, key, number)
                    except Exception as err:  # noqa: BLE001 - any error is one too many
                        self.errors.append(f"{act.__name__}: {err!r}")

    def _values(self, key: UUID, email: str) -> dict[str, object]:
        field = self._ring.field("people", "email")
        now, _ = field.written(normal_form("email", email))
        return {"id": key, "clear": email, "sealed": field.seal(key, email.encode()), "now": now}

    def _read(self, connection: Connection, key: UUID, _: int) -> None:
        self.reads += 1
        row = connection.execute("SELECT email AS found FROM people WHERE id = %s", (key,), prepare=False).fetchone()
        found = None if row is None else row["found"]
        text = self._ring.field("people", "email").open(key, found).decode() if isinstance(found, bytes) else found
        if text != self.rows[key]:
            self.errors.append("a reader saw another value")

    def _write(self, connection: Connection, key: UUID, number: int) -> None:
        self.writes += 1
        if number % 3 == 0:
            try:
                self._put(connection, random_id(), self.rows[key], is_new=True)
            except UniqueViolation:
                self.refused += 1
            else:
                self.errors.append("a duplicate was let in")
            return
        email = f"writer{number}@example.org"
        self._put(connection, key, email, is_new=False)
        self.rows[key] = email

    def _put(self, connection: Connection, key: UUID, email: str, *, is_new: bool) -> None:
        """Write both forms; once the switch is done, the one that is left. What an application does that knows both."""
        both, one = (
            (
                "INSERT INTO people (id, email, email_sealed, email_bidx) VALUES (%(id)s, %(clear)s::text, %(sealed)s, %(now)s)",
                "INSERT INTO people (id, email, email_bidx) VALUES (%(id)s, %(sealed)s, %(now)s)",
            )
            if is_new
            else (
                "UPDATE people SET email = %(clear)s::varchar, email_sealed = %(sealed)s, email_bidx = %(now)s WHERE id = %(id)s",
                "UPDATE people SET email = %(sealed)s, email_bidx = %(now)s WHERE id = %(id)s",
            )
        )
        values = self._values(key, email)
        try:
            connection.execute(both, values)
        except (psycopg.errors.UndefinedColumn, psycopg.errors.DatatypeMismatch):
            connection.execute(one, values)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("count", "kills"), [(400, 2), pytest.param(100_000, 20, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_an_encryption_killed_at_any_batch_goes_on_beside_a_reader_and_a_writer(
    empty_db: Url, connection: Connection, app: Source, ring: KeyRing, tmp_path: Path, count: int, kills: int
) -> None:
    rows = fill(connection, count)
    email = find_column(connection, "people.email", sealed=False)
    write(app, plan_encryption(email, index="email", unique="idx_people_email"), "20240102000000")
    up(connection, [OURS, app], Options(to="20240102000000"))
    with Life(empty_db, ring, rows) as life:
        for number in range(kills):
            _seal_and_kill(empty_db, tmp_path / "fields.key", connection, until=(number + 1) * count // (kills + 1))
        _to_the_end(connection, app, ring)
        seen = life.reads
        while life.reads < seen + 20:
            pass
    assert life.errors == []
    field = ring.field("people", "email")
    found = {row["id"]: field.open(row["id"], row["email"]).decode() for row in _rows(connection, "SELECT id, email FROM people")}
    assert found == life.rows
    print(f"{count} rows, {kills} kills: {life.reads} reads, {life.writes} writes, {life.refused} duplicates refused, 0 errors")


def _seal_and_kill(url: Url, file: Path, connection: Connection, *, until: int) -> None:
    command = [sys.executable, "-m", "tests.security.run_seal", url.reveal(), str(file)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    while process.poll() is None and _sealed(connection) < until:
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def _sealed(connection: Connection) -> int:
    return int(_rows(connection, "SELECT count(*) AS rows FROM people WHERE email_sealed IS NOT NULL")[0]["rows"])
