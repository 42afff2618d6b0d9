"""What becomes of the design's address and telephone number: sealed columns under the same names, still unique."""

from pathlib import Path

import pytest

from pgkeel.core.url import Url
from pgkeel.migrations import Options, backfill, up
from pgkeel.migrations.errors import BackfillMissing, NotReady
from pgkeel.postgres import Connection, connect
from pgkeel.schema import REFERENCE_MIGRATIONS
from pgkeel.schema.models import Base
from pgkeel.schema.sealed_type import encrypted_fields
from pgkeel.security.encryption import change_of, plan_encryption
from pgkeel.security.encryption.column import find_column
from pgkeel.security.keys import find
from pgkeel.testing.keys import ring_for_tests
from tests.schema.conftest import ARGON2, REFERENCE

CLEAR = Options(to="20240103120000")


def test_the_design_ends_at_sealed_columns_under_its_own_names(reference: Connection) -> None:
    rows = reference.execute(
        "SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute"
        " WHERE attrelid = 'users'::regclass AND attname ~ '^(email|phone)' ORDER BY attname"
    ).fetchall()
    assert [(row["attname"], row["type"], row["attnotnull"]) for row in rows] == [
        ("email", "bytea", True),
        ("email_bidx", "bytea", True),
        ("email_bidx_next", "bytea", False),
        ("phone", "bytea", False),
    ]
    row = reference.execute(
        "SELECT pg_get_constraintdef(oid) AS text FROM pg_constraint WHERE conname = 'idx_users_email'"
    ).fetchone()
    assert row == {"text": "UNIQUE (email_bidx)"}


def test_accounts_that_are_there_are_sealed_before_the_switch(empty_db: Url) -> None:
    ring = ring_for_tests()
    with connect(empty_db) as connection:
        up(connection, [REFERENCE], CLEAR)
        connection.execute(
            "INSERT INTO users (email, password_hash, phone) VALUES ('ada@example.org', %s, '1'), ('bob@example.org', '!', NULL)",
            [ARGON2],
        )
        before = connection.execute("SELECT id, version, updated_at FROM users ORDER BY id").fetchall()
        for _ in range(6):
            try:
                up(connection, [REFERENCE])
                break
            except (NotReady, BackfillMissing):
                backfill.run(connection, resolve=lambda code: change_of(code, ring))
        email, phone = encrypted_fields(Base.metadata.tables.values())
        (ada,) = find(connection, ring, email, "ADA@example.org")
        row = connection.execute("SELECT phone FROM users WHERE id = %s", [ada]).fetchone()
        assert row is not None
        assert ring.field("users", "phone").open(ada, row["phone"]) == b"1"
        assert phone.name == "users.phone"
        assert connection.execute("SELECT id, version, updated_at FROM users ORDER BY id").fetchall() == before


@pytest.mark.parametrize(
    ("column", "index", "unique", "first"),
    [("users.email", "email", "idx_users_email", "20240104120000"), ("users.phone", None, None, "20240104130000")],
)
def test_the_shipped_files_are_what_our_own_command_writes(
    empty_db: Url, column: str, index: str | None, unique: str | None, first: str
) -> None:
    with connect(empty_db) as connection:
        up(connection, [REFERENCE], CLEAR)
        found = find_column(connection, column, sealed=False)
    for number, planned in enumerate(plan_encryption(found, index=index, unique=unique)):
        (file,) = Path(REFERENCE_MIGRATIONS).glob(f"{int(first) + 100 * number}_*.sql")
        shipped = set(file.read_text().splitlines())
        missing = [line for line in planned.text.replace("{version}", first).splitlines() if line not in shipped]
        assert [line for line in missing if "users_email_check" not in line and "users_end_tokens" not in line] == []
