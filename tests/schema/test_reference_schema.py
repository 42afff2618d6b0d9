"""What the tables refuse, and what they keep true by themselves."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from pgkeel.core.clock import now
from pgkeel.postgres import Connection
from tests.schema.conftest import ARGON2, insert, new_user, sealed_address

pytestmark = pytest.mark.majors

TOKEN = hashlib.sha256(b"secret").hexdigest()


def one(connection: Connection, query: str, **values: object) -> dict[str, Any]:
    row = connection.execute(query.encode(), values).fetchone()
    assert row is not None
    return row


def refused_by(connection: Connection, table: str, **fields: object) -> str | None:
    """The constraint that refuses a row."""
    with pytest.raises(psycopg.errors.IntegrityError) as refusal, connection.transaction():
        insert(connection, table, **fields)
    return refusal.value.diag.constraint_name


@pytest.mark.parametrize(
    ("fields", "constraint"),
    [
        ({"password_hash": "hunter2"}, "users_password_hash_check"),
        ({"password_hash": hashlib.md5(b"hunter2").hexdigest()}, "users_password_hash_check"),
        ({"role": "emperor"}, "users_role_fkey"),
        ({"status": "asleep"}, "users_status_check"),
        ({"deleted_at": datetime(2024, 1, 1, tzinfo=UTC)}, "users_deleted_check"),
        ({"status": "deleted"}, "users_deleted_check"),
        ({"username": "Ada Lovelace"}, "users_username_check"),
    ],
)
def test_a_bad_user_is_refused(reference: Connection, fields: dict[str, object], constraint: str) -> None:
    good = {**sealed_address(), "password_hash": ARGON2}

    assert refused_by(reference, "users", **{**good, **fields}) == constraint


def test_an_address_is_taken_once(reference: Connection) -> None:
    new_user(reference)

    assert refused_by(reference, "users", **sealed_address(), password_hash="!") == "idx_users_email"


def test_a_session_holds_the_hash_of_a_token_never_the_token(reference: Connection) -> None:
    user = new_user(reference)
    later = now() + timedelta(days=1)

    assert refused_by(reference, "sessions", user_id=user, token="secret", expires_at=later) == "sessions_token_check"
    insert(reference, "sessions", user_id=user, token=TOKEN, expires_at=later)


def test_a_session_ends_after_it_began(reference: Connection) -> None:
    past = now() - timedelta(days=1)

    assert (
        refused_by(reference, "sessions", user_id=new_user(reference), token=TOKEN, expires_at=past)
        == "sessions_expires_at_check"
    )


@pytest.mark.parametrize("fields", [{"amount": "1.00"}, {"currency": "EUR"}, {"amount": "1", "currency": "eur"}])
def test_an_amount_and_its_currency_come_together(reference: Connection, fields: dict[str, object]) -> None:
    assert str(refused_by(reference, "events", type="payment", **fields)).endswith("currency_check")


def test_money_is_a_number(reference: Connection) -> None:
    assert str(refused_by(reference, "events", type="payment", amount="NaN", currency="EUR")).endswith("amount_check")


def test_a_user_with_posts_cannot_be_deleted_hard(reference: Connection) -> None:
    user = new_user(reference)
    insert(reference, "posts", user_id=user, title="On engines", content="")

    with pytest.raises(psycopg.errors.IntegrityError) as refusal:
        reference.execute("DELETE FROM users WHERE id = %s", [user])

    assert refusal.value.diag.constraint_name == "posts_user_id_fkey"


def test_a_post_may_be_empty_but_has_a_title(reference: Connection) -> None:
    user = new_user(reference)

    insert(reference, "posts", user_id=user, title="x", content="")
    assert refused_by(reference, "posts", user_id=user, title=" ", content="x") == "posts_title_check"


def test_every_change_counts_the_version_up_and_moves_updated_at(reference: Connection) -> None:
    user = new_user(reference)
    before = one(reference, "SELECT version, updated_at FROM users")

    reference.execute("UPDATE users SET username = 'ada' WHERE id = %s", [user])

    after = one(reference, "SELECT version, updated_at FROM users")
    assert (before["version"], after["version"]) == (1, 2)
    assert after["updated_at"] > before["updated_at"]


def test_an_update_that_changes_nothing_is_no_new_version(reference: Connection) -> None:
    new_user(reference)

    reference.execute("UPDATE users SET status = status")

    assert one(reference, "SELECT version FROM users") == {"version": 1}


def test_a_writer_cannot_set_the_version(reference: Connection) -> None:
    new_user(reference)

    reference.execute("UPDATE users SET version = 41")

    assert one(reference, "SELECT version FROM users") == {"version": 2}


def test_a_stale_update_touches_no_row(reference: Connection) -> None:
    user = new_user(reference)
    update = "UPDATE users SET username = %s WHERE id = %s AND version = 1"

    assert reference.execute(update, ["ada", user]).rowcount == 1
    assert reference.execute(update, ["countess", user]).rowcount == 0


def test_a_soft_deleted_user_has_no_sessions_and_keeps_the_posts(reference: Connection) -> None:
    user, other = new_user(reference), new_user(reference, "charles@example.org")
    for number, owner in enumerate((user, other)):
        token = hashlib.sha256(bytes([number])).hexdigest()
        insert(reference, "sessions", user_id=owner, token=token, expires_at=now() + timedelta(days=1))
    insert(reference, "posts", user_id=user, title="On engines", content="")

    soft_delete(reference, "users", user)

    assert one(reference, "SELECT array_agg(user_id) AS owners FROM sessions") == {"owners": [other]}
    assert one(reference, "SELECT status FROM posts") == {"status": "draft"}
    assert one(reference, "SELECT count(*) FROM user_effective_roles") == {"count": 1}


def test_restoring_a_post_restores_exactly_the_comments_hidden_with_it(reference: Connection) -> None:
    user = new_user(reference)
    post, other = (insert(reference, "posts", user_id=user, title=title, content="") for title in ("a", "b"))
    comments = {
        name: insert(reference, "comments", post_id=post, user_id=user, content=name) for name in ("visible", "hidden", "deleted")
    }
    insert(reference, "comments", post_id=other, user_id=user, content="elsewhere")
    reference.execute("UPDATE comments SET status = 'hidden' WHERE id = %s", [comments["hidden"]])
    soft_delete(reference, "comments", comments["deleted"])

    soft_delete(reference, "posts", post)
    gone = one(reference, "SELECT count(*), count(DISTINCT deleted_at) AS times FROM comments WHERE status = 'deleted'")
    reference.execute("UPDATE posts SET deleted_at = NULL WHERE id = %s", [post])

    assert gone == {"count": 3, "times": 2}
    rows = reference.execute("SELECT content, status, previous_status FROM comments ORDER BY content").fetchall()
    assert [(row["content"], row["status"], row["previous_status"]) for row in rows] == [
        ("deleted", "deleted", "visible"),
        ("elsewhere", "visible", None),
        ("hidden", "hidden", None),
        ("visible", "visible", None),
    ]


@pytest.mark.parametrize("status", ["draft", "archived"])
def test_a_restored_post_has_the_status_that_it_had(reference: Connection, status: str) -> None:
    post = insert(reference, "posts", user_id=new_user(reference), title="a", content="", status=status)
    soft_delete(reference, "posts", post)

    reference.execute("UPDATE posts SET deleted_at = NULL")

    assert one(reference, "SELECT status, previous_status FROM posts") == {"status": status, "previous_status": None}


def test_a_soft_delete_by_a_session_that_sees_other_schemas_first_ends_the_sessions(reference: Connection) -> None:
    user = new_user(reference)
    insert(reference, "sessions", user_id=user, token=TOKEN, expires_at=now() + timedelta(days=1))
    reference.execute("CREATE TEMPORARY TABLE sessions (user_id uuid)")

    soft_delete(reference, "users", user)

    assert one(reference, "SELECT count(*) FROM public.sessions") == {"count": 0}


def test_new_ids_are_version_7_and_in_order(reference: Connection) -> None:
    found = one(reference, "SELECT array_agg(new_id() ORDER BY n) AS ids FROM generate_series(1, 5000) AS n")["ids"]
    late = now()

    times = [identifier.int >> 64 for identifier in found]  # two of one microsecond differ by chance alone, in the random bits
    assert times == sorted(times)
    assert len(set(found)) == 5000
    assert len(set(times)) > 1000
    assert {(identifier.version, identifier.variant) for identifier in found} == {(7, "specified in RFC 4122")}
    assert abs(found[-1].int >> 80) - late.timestamp() * 1000 < 5000


def test_an_event_of_a_month_without_partition_lands_in_the_default_one(reference: Connection) -> None:
    for moment in ("2023-12-31 23:59:59.999999+00", "2024-01-01 00:00:00+00", "2024-02-01 00:00:00+00"):
        insert(reference, "events", type="visit", occurred_at=moment)

    rows = reference.execute("SELECT tableoid::regclass::text AS home FROM events ORDER BY occurred_at").fetchall()
    assert [row["home"] for row in rows] == ["events_default", "events_2024_01", "events_default"]


def test_the_default_role_and_the_given_ones_are_seen_together(reference: Connection) -> None:
    user = new_user(reference)
    reference.execute("INSERT INTO user_roles (user_id, role_id) SELECT %s, id FROM roles WHERE name = 'admin'", [user])

    rows = reference.execute("SELECT role FROM user_effective_roles WHERE user_id = %s ORDER BY role", [user]).fetchall()

    assert [row["role"] for row in rows] == ["admin", "user"]


def test_every_name_of_the_design_exists(reference: Connection) -> None:
    indexes = {
        "users_email",
        "users_status",
        "users_active",
        "sessions_token",
        "sessions_user_id",
        "posts_user_status",
        "posts_search",
    }
    tables = {"users", "sessions", "roles", "user_roles", "posts", "comments", "events", "events_2024_01"}

    found = {row["name"] for row in reference.execute("SELECT relname::text AS name FROM pg_class").fetchall()}

    assert {f"idx_{name}" for name in indexes} | tables <= found


def test_the_search_of_the_design_uses_its_index(reference: Connection) -> None:
    user = new_user(reference)
    reference.execute(
        "INSERT INTO posts (user_id, title, content) SELECT %s, 'post ' || n, 'engine' || n FROM generate_series(1, 2000) AS n",
        [user],
    )
    reference.execute("ANALYZE posts")

    rows = reference.execute("""EXPLAIN SELECT id FROM posts
        WHERE to_tsvector('english', title || ' ' || content) @@ plainto_tsquery('english', 'engine7')""").fetchall()

    assert "idx_posts_search" in " ".join(row["QUERY PLAN"] for row in rows)


def test_a_page_of_a_users_posts_is_read_in_order_from_an_index(reference: Connection) -> None:
    user = new_user(reference)
    reference.execute(
        "INSERT INTO posts (user_id, title, content) SELECT %s, 'p', 'c' FROM generate_series(1, 5000) AS n", [user]
    )
    reference.execute("ANALYZE posts")

    rows = reference.execute(
        """EXPLAIN SELECT id FROM posts WHERE user_id = %(user)s AND (created_at, id) < (now(), %(user)s)
        ORDER BY created_at DESC, id DESC LIMIT 20""",
        {"user": user},
    ).fetchall()

    plan = " ".join(row["QUERY PLAN"] for row in rows)
    assert "idx_posts_user_id" in plan
    assert "Sort" not in plan


def test_every_foreign_key_has_an_index(reference: Connection) -> None:
    rows = reference.execute("""SELECT conrelid::regclass::text AS table, conname FROM pg_constraint
        WHERE contype = 'f' AND conparentid = 0 AND NOT EXISTS (
            SELECT FROM pg_index WHERE indrelid = conrelid AND (indkey::int2[])[0:cardinality(conkey) - 1] = conkey
        )""").fetchall()

    assert rows == []


def test_no_index_repeats_another(reference: Connection) -> None:
    rows = reference.execute("""SELECT a.indexrelid::regclass::text AS one, b.indexrelid::regclass::text AS other
        FROM pg_index AS a JOIN pg_index AS b ON a.indrelid = b.indrelid AND a.indexrelid < b.indexrelid
        WHERE a.indkey::text = b.indkey::text AND a.indclass = b.indclass AND a.indexprs IS NOT DISTINCT FROM b.indexprs
          AND a.indpred IS NOT DISTINCT FROM b.indpred AND a.indrelid >= 16384""").fetchall()

    assert rows == []


def soft_delete(connection: Connection, table: str, identifier: object) -> None:
    """What the repository does."""
    query = f"UPDATE {table} SET status = 'deleted', deleted_at = clock_timestamp() WHERE id = %s"
    connection.execute(query.encode(), [identifier])
