"""The audit log: what it notes, what it hides, and every way of tampering that it sees."""

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from pgkeel.core.errors import ConfigError, NotFound, UsageError
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.security.audit import (
    FileSink,
    Watched,
    anchor,
    check_rights,
    install,
    open_epoch,
    plan,
    retire,
    seal,
    search,
    verify,
)
from pgkeel.security.roles import Declaration, ensure_rights, ensure_roles, plan_for

PEOPLE = Watched("public", "people", ("email", "password_hash"))
TABLE = """
CREATE TABLE people (
    id integer PRIMARY KEY, name text, email text, password_hash text, data jsonb, updated_at timestamptz DEFAULT now()
)
"""


@pytest.fixture
def bare(empty_db: Url) -> Iterator[Connection]:
    """A database with our roles and a table of people."""
    with connect(empty_db) as superuser:
        ensure_roles(superuser)
        superuser.execute(TABLE)
        ensure_rights(superuser)
        yield superuser


@pytest.fixture
def db(bare: Connection) -> Connection:
    """The same, and the log that watches it."""
    install(bare, plan(bare, [PEOPLE]))
    return bare


@pytest.fixture
def sink(tmp_path: Path) -> FileSink:
    return FileSink(tmp_path / "elsewhere" / "anchors.jsonl")


def people(db: Connection, count: int = 3) -> None:
    db.execute(
        "INSERT INTO people (id, name, email, password_hash) SELECT n, 'p' || n, n || '@example.com', 'hash' || n"
        " FROM generate_series(1, %s) n",
        [count],
    )


def kinds(db: Connection, *sinks: FileSink) -> list[str]:
    return [problem.kind for problem in verify(db, sinks).problems]


@pytest.mark.majors
def test_an_insert_an_update_and_a_delete_say_who_when_and_what(db: Connection) -> None:
    people(db, 1)
    with db.transaction():
        db.execute("SELECT set_config('pgkeel.actor', 'user:42', true)")
        db.execute("UPDATE people SET name = 'Ada' WHERE id = 1")
    db.execute("DELETE FROM people")

    gone, changed, made = (one for one in search(db, table="public.people"))

    assert (made.operation, made.row_id, made.actor, made.db_role) == ("insert", "1", None, "postgres")
    assert made.after is not None
    assert made.after["name"] == "p1"
    assert (changed.operation, changed.actor, changed.before, changed.after) == (
        "update",
        "user:42",
        {"name": "p1"},
        {"name": "Ada"},
    )
    assert (gone.operation, gone.actor) == ("delete", None)
    assert gone.before is not None
    assert gone.before["name"] == "Ada"


@pytest.mark.majors
def test_an_update_is_noted_whatever_the_types_of_its_columns(empty_db: Url) -> None:
    with connect(empty_db) as db:
        ensure_roles(db)
        db.execute(
            "CREATE TYPE mood AS ENUM ('fine', 'sad'); CREATE TYPE pair AS (a json, b integer); CREATE DOMAIN notes AS json"
        )
        db.execute(
            "CREATE TABLE things (\"the 'id'\" uuid PRIMARY KEY, plain json, place point, mood mood, pair pair, notes notes,"
            " tags text[], papers json[], box box, number numeric, gone text)"
        )
        ensure_rights(db)
        install(db, plan(db, [Watched("public", "things")]))
        db.execute(
            "INSERT INTO things VALUES (gen_random_uuid(), '{}', '1,1', 'fine', (null, 1), '1', '{a}', '{}', '1,1,2,2', 1, 'x')"
        )

        db.execute("UPDATE things SET number = number")
        db.execute("UPDATE things SET plain = null, place = '1,2', mood = 'sad', box = '0,0,1,1', gone = null, tags = '{a,b}'")
        db.execute("UPDATE things SET plain = '[1]', pair = (null, 2), notes = '2', papers = array['1'::json]")
        second, first = search(db, operation="update")
        (made,) = search(db, operation="insert")

    assert first.after == {
        "plain": None, "place": "(1,2)", "mood": "sad", "box": "(1,1),(0,0)", "gone": None, "tags": ["a", "b"],
    }  # fmt: skip
    assert first.before == {
        "plain": {}, "place": "(1,1)", "mood": "fine", "box": "(2,2),(1,1)", "gone": "x", "tags": ["a"],
    }  # fmt: skip
    assert second.after == {"plain": [1], "pair": {"a": None, "b": 2}, "notes": 2, "papers": [1]}
    assert second.row_id == first.row_id == made.row_id


@pytest.mark.majors
@pytest.mark.parametrize("key", [", PRIMARY KEY (c1)", ""])
def test_a_table_of_more_columns_than_a_function_takes_arguments_is_written_to_and_noted(bare: Connection, key: str) -> None:
    names = [f"c{number}" for number in range(1, 121)]
    bare.execute(f"CREATE TABLE wide ({', '.join(f'{name} numeric' for name in names)}{key})")
    install(bare, plan(bare, [Watched("public", "wide", ("c119",))]))

    bare.execute(f"INSERT INTO wide SELECT {', '.join(str(number) for number in range(1, 121))}")
    bare.execute("UPDATE wide SET c60 = 0, c119 = 0")
    bare.execute("DELETE FROM wide")

    gone, changed, made = search(bare, table="public.wide")[:3]
    whole = {name: number for number, name in enumerate(names, start=1)} | {"c119": "changed"}
    assert (made.after, changed.after, gone.before) == (whole, {"c60": 0, "c119": "changed"}, whole | {"c60": 0})
    assert made.row_id == ("1" if key else ",".join(str(number) for number in range(1, 121) if number != 119))


def test_secrets_and_clear_personal_data_are_never_in_the_log(db: Connection) -> None:
    people(db, 1)
    db.execute("UPDATE people SET email = 'new@example.com', password_hash = 'other'")
    db.execute("DELETE FROM people")

    kept = db.execute(
        "SELECT concat((SELECT string_agg(log::text, '') FROM audit.log WHERE table_name = 'public.people'),"
        " (SELECT string_agg(updated::text, '') FROM audit.updated),"
        " (SELECT string_agg(written::text, '') FROM audit.written)) AS text"
    ).fetchone()

    assert kept is not None
    assert "changed" in kept["text"]
    assert "example.com" not in kept["text"]
    assert "hash1" not in kept["text"]
    (changed,) = search(db, operation="update")
    assert (changed.before, changed.after) == ({}, {"email": "changed", "password_hash": "changed"})


@pytest.mark.majors
def test_bulk_writes_upserts_copy_cascades_and_truncate_are_all_noted(db: Connection) -> None:
    with db.cursor().copy("COPY people (id, name) FROM STDIN") as copy:
        copy.write_row((1, "a"))
        copy.write_row((2, "b"))
    db.execute("INSERT INTO people (id, name) VALUES (2, 'c'), (3, 'd') ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name")
    db.execute("UPDATE people SET name = name")
    db.execute("TRUNCATE people")

    noted = [(one.operation, one.row_id) for one in reversed(search(db, table="public.people"))]

    assert sorted(noted[:2]) == [("insert", "1"), ("insert", "2")]
    assert sorted(noted[2:4]) == [("insert", "3"), ("update", "2")]
    assert noted[4:] == [("truncate", None)]


@pytest.mark.majors
def test_ddl_grants_disabled_triggers_and_new_roles_are_noted(db: Connection) -> None:
    db.execute("CREATE TABLE other (id integer)")
    db.execute("GRANT SELECT ON other TO pgkeel_ro")
    db.execute("ALTER TABLE other DISABLE TRIGGER ALL")
    db.execute("DROP TABLE other")
    db.execute("CREATE ROLE somebody_new LOGIN")
    try:
        seal(db)
        commands = [one.after["command"] for one in search(db, operation="ddl") if one.after]
        (role,) = search(db, operation="role")
    finally:
        db.execute("DROP ROLE somebody_new")

    assert {"CREATE TABLE", "GRANT", "ALTER TABLE", "DROP TABLE"} <= set(commands)
    assert role.row_id == "somebody_new"
    assert role.after is not None
    assert role.after["can_login"] is True


def granted(db: Connection) -> list[tuple[str, dict[str, Any]]]:
    """Return the rights that were noted, oldest first: the object, and what came and went."""
    found = [(one.table_name, one.after) for one in reversed(search(db, operation="ddl")) if one.after]
    return [(name, {key: after.get(key) for key in ("granted", "revoked")}) for name, after in found if len(after) > 2]


@pytest.mark.majors
def test_a_grant_says_to_whom_what_came_and_went_on_which_object(db: Connection) -> None:
    db.execute("CREATE TABLE other (id integer, name text); CREATE FUNCTION one() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    for statement in (
        "GRANT SELECT, INSERT ON other, people TO pgkeel_monitor",
        "GRANT SELECT ON other TO pgkeel_monitor",
        "REVOKE INSERT ON other FROM pgkeel_monitor",
        "GRANT UPDATE (name) ON other TO pgkeel_monitor WITH GRANT OPTION",
        "GRANT EXECUTE ON FUNCTION one() TO PUBLIC",
        "ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner IN SCHEMA public GRANT TRIGGER ON TABLES TO pgkeel_monitor",
    ):
        db.execute(statement)
    with db.transaction(force_rollback=True):
        db.execute("GRANT DELETE ON other TO pgkeel_monitor")
    with db.transaction(), db.transaction():
        db.execute("GRANT TRUNCATE ON other TO pgkeel_monitor")

    noted = granted(db)

    came = {"granted": {"pgkeel_monitor": ["INSERT", "SELECT"]}, "revoked": None}
    assert noted[:3] == [
        ("public.other", came),
        ("public.people", came),
        ("public.other", {"granted": None, "revoked": {"pgkeel_monitor": ["INSERT"]}}),
    ]
    assert noted[3] == (
        "public.other.name",
        {"granted": {"pgkeel_monitor": ["UPDATE WITH GRANT OPTION"]}, "revoked": None},
    )
    assert [one for one in noted[4:] if "pgkeel_monitor" in str(one)] == noted[-2:]
    assert noted[-2][0].startswith("for role pgkeel_owner")
    assert noted[-1] == ("public.other", {"granted": {"pgkeel_monitor": ["TRUNCATE"]}, "revoked": None})


def test_rights_that_no_event_trigger_saw_are_noted_by_the_next_seal(db: Connection) -> None:
    db.execute("CREATE TABLE other (id integer)")
    db.execute("ALTER EVENT TRIGGER pgkeel_audit_ddl DISABLE")
    name = db.info.dbname
    db.execute("GRANT DELETE ON other TO pgkeel_monitor")
    db.execute(f'GRANT TEMPORARY ON DATABASE "{name}" TO pgkeel_monitor')

    seal(db)
    noted = granted(db)
    seal(db)

    assert noted == granted(db)
    assert ("public.other", {"granted": {"pgkeel_monitor": ["DELETE"]}, "revoked": None}) in noted
    assert (name, {"granted": {"pgkeel_monitor": ["TEMPORARY"]}, "revoked": None}) in noted


@pytest.mark.parametrize("role", ["pgkeel_app_a", "pgkeel_owner", "pgkeel_readonly_a", "pgkeel_monitor"])
def test_no_role_of_the_team_writes_reads_or_seals_the_log(db: Connection, role: str) -> None:
    attacks = (
        "INSERT INTO audit.log (table_name, operation) VALUES ('x', 'y')",
        "INSERT INTO audit.record (table_name, operation) VALUES ('x', 'y')",
        "INSERT INTO audit.written (table_name, operation) VALUES ('x', 'y')",
        "INSERT INTO audit.updated (change) VALUES (null)",
        "UPDATE audit.updated SET change = null",
        *(f"UPDATE audit.{name} SET actor = 'x'" for name in ("log", "record", "written")),
        *(f"DELETE FROM audit.{name}" for name in ("log", "record", "written", "updated")),
        *(f"TRUNCATE audit.{name}" for name in ("record", "written", "updated")),
        *(f"SELECT * FROM audit.{name}" for name in ("log", "record", "written", "updated", "waiting")),
        "DELETE FROM audit.seal",
        "SELECT audit.open_epoch('mine', 0)",
        "SELECT audit.take_in(1)",
        "SELECT audit.seal_below(1)",
        "SELECT audit.seal_now()",
        "SELECT setval('audit.record_seq', 1)",
        "SET ROLE pgkeel_audit",
    )
    db.execute(f"SET SESSION AUTHORIZATION {role}")
    try:
        for attack in attacks:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(attack)
    finally:
        db.execute("RESET SESSION AUTHORIZATION")


@pytest.mark.parametrize(
    "write",
    [
        "INSERT INTO audit.log (table_name, operation) VALUES ('x', 'insert')",
        "UPDATE audit.log SET actor = 'x'",
        "UPDATE audit.log SET actor = 'x' WHERE row_id = 'of none'",
        "DELETE FROM audit.log",
    ],
)
def test_a_superuser_who_writes_to_the_log_is_told_who_does(db: Connection, write: str) -> None:
    people(db, 1)
    before = search(db)

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="written by the triggers of watched tables alone") as refused:
        db.execute(write)

    assert "audit_keep" in str(refused.value.diag.message_hint)
    assert search(db) == before


def test_who_asks_for_greater_numbers_misses_nothing(db: Connection, empty_db: Url) -> None:
    query = "SELECT seq, operation FROM audit.log WHERE table_name = 'public.people' AND seq > %s ORDER BY seq"
    people(db, 1)
    with connect(empty_db) as other, other.transaction():
        other.execute("INSERT INTO people (id, name) VALUES (2, 'late')")
        db.execute("UPDATE people SET name = 'Ada' WHERE id = 1")
        unsealed = db.execute(query, [0]).fetchall()
        seal(db)
        first = db.execute(query, [0]).fetchall()
    db.execute("DELETE FROM people WHERE id = 1")
    seal_it(db)
    second = db.execute(query, [max((row["seq"] for row in first), default=0)]).fetchall()

    assert unsealed == []
    assert sorted(row["operation"] for row in first + second) == ["delete", "insert", "insert", "update"]
    assert second[-1]["operation"] == "delete"


def test_who_may_not_make_read_or_seal_the_log_is_told_who_may(bare: Connection, empty_db: Url) -> None:
    with connect(empty_db) as db:
        db.execute("SET SESSION AUTHORIZATION pgkeel_app_a")
        with pytest.raises(UsageError, match="made by a superuser, and pgkeel_app_a is none"):
            plan(db, [PEOPLE])
    install(bare, plan(bare, [PEOPLE]))
    bare.execute("GRANT pgkeel_auditor TO pgkeel_readonly_a")
    try:
        bare.execute("SET SESSION AUTHORIZATION pgkeel_app_a")
        with pytest.raises(UsageError, match="pgkeel_app_a may not read"):
            check_rights(bare)
        bare.execute("SET SESSION AUTHORIZATION pgkeel_readonly_a")
        check_rights(bare)
        with pytest.raises(UsageError, match="pgkeel_readonly_a may not seal"):
            check_rights(bare, sealing=True)
    finally:
        bare.execute("RESET SESSION AUTHORIZATION")
        bare.execute("REVOKE pgkeel_auditor FROM pgkeel_readonly_a")
    check_rights(bare, sealing=True)


def test_a_database_in_which_the_log_has_no_place_yet_is_told_what_makes_it(empty_db: Url) -> None:
    with connect(empty_db) as db:
        db.execute(TABLE)
        with pytest.raises(UsageError, match="schema audit") as refused:
            plan(db, [PEOPLE])
    assert refused.value.hint == "`pgkeel security roles apply` makes them"


def test_the_application_writes_through_the_triggers_without_a_right_on_the_log(db: Connection) -> None:
    db.execute("SET SESSION AUTHORIZATION pgkeel_app_a")
    try:
        db.execute("INSERT INTO people (id, name) VALUES (9, 'x')")
    finally:
        db.execute("RESET SESSION AUTHORIZATION")

    assert search(db, row="9")[0].db_role == "pgkeel_app_a"


def seal_it(db: Connection) -> None:
    """Seal what was written; any transaction of the server, such as autovacuum's, may hold it back for a moment."""
    while not seal(db):
        time.sleep(0.01)


@pytest.mark.majors
def test_a_log_that_nobody_touched_is_proved(db: Connection, sink: FileSink) -> None:
    for number in range(3):
        db.execute("INSERT INTO people (id, name) VALUES (%s, 'x')", [number])
        seal_it(db)
        anchor(db, [sink])

    verdict = verify(db, [sink])

    assert verdict.problems == ()
    assert (verdict.seals, verdict.anchors, verdict.unsealed) == (3, 3, 0)
    assert verdict.sealed >= 3


@pytest.mark.majors
def test_what_earlier_versions_sealed_has_the_same_digest(db: Connection) -> None:
    people(db, 3)
    db.execute("SELECT set_config('pgkeel.actor', %s, false)", ['"ann" \\ \x01\n\u2028é😀'])
    db.execute("UPDATE people SET name = %s || name, password_hash = 'x'", ["</x>\t\x7f"])
    db.execute("UPDATE people SET name = null WHERE id = 2")
    seal_it(db)

    before = db.execute(
        "SELECT sha256(string_agg(sha256(convert_to(jsonb_build_array(seq, extract(epoch FROM at), xid, epoch, actor, db_role,"
        " table_name, row_id, operation, before, after)::text, 'UTF8')), ''::bytea ORDER BY seq)) AS digest FROM audit.record"
    ).fetchone()
    now = db.execute(
        "SELECT digest FROM audit.digest_of(1, 0, 9e18::bigint, date_trunc('month', now() AT TIME ZONE 'UTC')::date)"
    ).fetchone()

    assert now == before


@pytest.mark.majors
def test_what_an_update_noted_is_found_at_once_and_is_the_same_in_the_log(db: Connection) -> None:
    people(db, 1)
    with db.transaction():
        db.execute("SELECT set_config('pgkeel.actor', 'user:42', true)")
        db.execute("UPDATE people SET name = 'Ada', data = '[1, {\"a\": null}]', email = 'x', updated_at = null WHERE id = 1")
        with db.transaction():
            db.execute("UPDATE people SET name = null, data = null WHERE id = 1")
    waiting = search(db, operation="update")

    seal_it(db)

    left = db.execute("SELECT count(*) AS rows FROM audit.waiting").fetchone()
    assert waiting[0].before == {"name": "Ada", "data": [1, {"a": None}]}
    assert waiting[0].after == {"name": None, "data": None}
    assert waiting[1].after == {"name": "Ada", "data": [1, {"a": None}], "email": "changed", "updated_at": None}
    sealed = search(db, operation="update")
    assert [replace(one, seq=None) for one in sealed] == list(waiting)
    assert sealed[0].seq == sealed[1].seq + 1  # type: ignore[operator]
    assert left == {"rows": 0}
    assert kinds(db) == []


def test_what_cannot_be_sealed_before_a_recovery_belongs_to_the_epoch_before_it(db: Connection, empty_db: Url) -> None:
    people(db, 1)
    seal_it(db)
    with connect(empty_db) as other, other.transaction():
        other.execute("SELECT pg_current_xact_id()")
        db.execute("UPDATE people SET name = 'Ada'")
        open_epoch(db, "recovered")
    db.execute("UPDATE people SET name = 'Bea'")
    seal_it(db)

    assert [one.epoch for one in search(db, operation="update")] == [2, 1]
    assert kinds(db) == []


def test_a_seal_that_is_cut_off_leaves_all_to_the_next_one(db: Connection, empty_db: Url) -> None:
    people(db, 3)
    db.execute("UPDATE people SET name = 'Ada'")
    with contextlib.suppress(psycopg.OperationalError), connect(empty_db) as other, other.transaction():
        while not other.execute("SELECT audit.seal_now() AS rows").fetchone()["rows"]:  # type: ignore[index]
            time.sleep(0.01)
        db.execute("SELECT pg_terminate_backend(%s)", [other.info.backend_pid])
        other.execute("SELECT 1")
    waiting = verify(db)
    seal_it(db)

    assert (waiting.sealed, waiting.problems) == (0, ())
    assert len(search(db, operation="update")) == 3
    assert (verify(db).unsealed, kinds(db)) == (0, [])


def test_an_auditor_reads_and_proves_the_log_and_what_waits_for_a_seal(db: Connection) -> None:
    people(db, 1)
    db.execute("UPDATE people SET name = 'Ada'")
    db.execute("SET ROLE pgkeel_auditor")
    try:
        (found,) = search(db, operation="update")
        verdict = verify(db)
    finally:
        db.execute("RESET ROLE")

    assert found.after == {"name": "Ada"}
    assert (verdict.problems, verdict.unsealed) == ((), verify(db).unsealed)
    assert plan_for(db, Declaration()).statements == ()


def test_rows_of_a_running_transaction_wait_for_the_next_seal(db: Connection, empty_db: Url) -> None:
    with connect(empty_db) as other:
        with other.transaction():
            other.execute("INSERT INTO people (id, name) VALUES (1, 'slow')")
            db.execute("INSERT INTO people (id, name) VALUES (2, 'quick')")
            seal(db)
            waiting = verify(db).unsealed
        seal_it(db)

    assert waiting >= 1
    assert verify(db).unsealed == 0
    assert kinds(db) == []


TOUCH: dict[str, tuple[str, str]] = {
    "a value": ("changed", "UPDATE audit.record SET after = '{\"name\": \"forged\"}' WHERE row_id = '2'"),
    "the actor": ("changed", "UPDATE audit.record SET actor = 'somebody else' WHERE row_id = '2'"),
    "the time": ("changed", "UPDATE audit.record SET at = at + interval '1 millisecond' WHERE row_id = '2'"),
    "one row gone": ("removed", "DELETE FROM audit.record WHERE row_id = '2'"),
    "the last row gone": ("removed", "DELETE FROM audit.record WHERE seq = (SELECT max(seq) FROM audit.record)"),
    "two rows swapped": ("changed", "UPDATE audit.record SET seq = 1000003 - seq WHERE row_id IN ('2', '3')"),
    "an old row forged": (
        "added",
        "INSERT INTO audit.record SELECT * FROM audit.record WHERE row_id = '2'",
    ),
    "a row forged where no seal is": (
        "forged",
        "INSERT INTO audit.record (seq, at, xid, epoch, db_role, table_name, operation) VALUES (9, now(), 1e9, 1, '', '', '')",
    ),
    "the log emptied": ("removed", "TRUNCATE audit.record"),
    "a seal gone": ("seal_missing", "DELETE FROM audit.seal WHERE number = 1"),
    "a seal rewritten": ("chain", "UPDATE audit.seal SET digest = '\\x00' WHERE number = 1"),
}


@pytest.mark.parametrize("touched", TOUCH)
def test_a_superuser_who_touches_the_log_is_seen_in_the_database(db: Connection, touched: str) -> None:
    for number in range(1, 4):
        db.execute("INSERT INTO people (id, name) VALUES (%s, 'x')", [number])
        seal_it(db)
    kind, attack = TOUCH[touched]

    db.execute(attack)

    assert kind in kinds(db)


SEAL_ANEW = """
DO $$
DECLARE
    one audit.seal;
    before bytea := '';
BEGIN
    FOR one IN SELECT * FROM audit.seal ORDER BY number LOOP
        UPDATE audit.seal SET previous = before, digest = audit.chained(before, one.number, one.epoch, one.from_xid, one.to_xid,
            one.month, one.rows, (SELECT now.digest FROM audit.digest_of(one.epoch, one.from_xid, one.to_xid, one.month) AS now))
        WHERE number = one.number RETURNING digest INTO before;
    END LOOP;
END
$$
"""
REWRITE: dict[str, Callable[[Connection], Any]] = {
    "the last seal and its rows": lambda db: db.execute(
        "WITH last AS (DELETE FROM audit.seal WHERE number = (SELECT max(number) FROM audit.seal) RETURNING from_xid)"
        " DELETE FROM audit.record AS log USING last WHERE log.xid >= last.from_xid"
    ),
    "the last seal, and a recovery pretended": lambda db: (
        db.execute("DELETE FROM audit.record WHERE xid >= (SELECT max(from_xid) FROM audit.seal)"),
        db.execute("DELETE FROM audit.seal WHERE number = (SELECT max(number) FROM audit.seal)"),
        db.execute("SELECT audit.open_epoch('recovered', 0)"),
        db.execute("UPDATE audit.epoch SET after_seal = 9 WHERE epoch = 1"),
    ),
    "log and seals": lambda db: (db.execute("TRUNCATE audit.record"), db.execute("TRUNCATE audit.seal")),
    "everything sealed anew": lambda db: (
        db.execute("UPDATE audit.record SET actor = 'somebody else'"),
        db.execute(SEAL_ANEW),
    ),
}


@pytest.mark.parametrize("rewritten", REWRITE)
def test_a_superuser_who_rewrites_everything_is_seen_by_the_anchor_alone(db: Connection, sink: FileSink, rewritten: str) -> None:
    for number in range(1, 4):
        db.execute("INSERT INTO people (id, name) VALUES (%s, 'x')", [number])
        seal_it(db)
        anchor(db, [sink])

    REWRITE[rewritten](db)

    assert kinds(db) == []
    assert "anchor" in kinds(db, sink)


def test_a_recovery_opens_an_epoch_and_what_was_lost_with_the_future_is_no_alarm(db: Connection, sink: FileSink) -> None:
    for number in (1, 2):
        db.execute("INSERT INTO people (id, name) VALUES (%s, 'x')", [number])
        seal_it(db)
        anchor(db, [sink])
    db.execute("DELETE FROM audit.record AS log USING audit.seal WHERE seal.number = 2 AND log.xid >= seal.from_xid")
    db.execute("DELETE FROM audit.seal WHERE number = 2")
    before = kinds(db, sink)

    epoch = open_epoch(db, "recovered to 12:00", [sink])
    db.execute("INSERT INTO people (id, name) VALUES (7, 'after')")
    seal_it(db)
    anchor(db, [sink])

    assert before == ["anchor"]
    assert epoch == 2
    assert kinds(db, sink) == []


def test_anchors_of_a_recovery_that_was_undone_are_no_alarm_and_those_before_it_still_are(db: Connection, sink: FileSink) -> None:
    for number in (1, 2, 3):
        db.execute("INSERT INTO people (id, name) VALUES (%s, 'x')", [number])
        seal_it(db)
    newest = anchor(db, [sink])
    assert newest is not None
    for number in (2, 3, 4):  # what the recovered server sealed, before the undo brought this log back
        sink.write(replace(newest, epoch=2, seal=number, digest="ab"))
    db.execute("INSERT INTO people (id, name) VALUES (4, 'x')")

    epoch = open_epoch(db, "recovery undone", [sink])

    assert (epoch, anchor(db, [sink])) == (3, None)  # what was left of the old life is sealed, and is no anchor of the new one
    assert kinds(db, sink) == []
    db.execute("INSERT INTO people (id, name) VALUES (7, 'after')")
    seal_it(db)
    anchor(db, [sink])
    assert kinds(db, sink) == []
    db.execute("UPDATE audit.seal SET digest = sha256(digest) WHERE number = 3")
    assert "anchor" in kinds(db, sink)


def test_a_disabled_trigger_and_a_changed_table_are_problems_until_applied_again(db: Connection) -> None:
    db.execute("ALTER TABLE people DISABLE TRIGGER pgkeel_audit_update")
    db.execute("ALTER EVENT TRIGGER pgkeel_audit_ddl DISABLE")
    disabled = kinds(db)
    install(db, plan(db, [PEOPLE]))
    db.execute("ALTER TABLE people ADD COLUMN phone text")
    changed = kinds(db)
    db.execute("INSERT INTO people (id, phone) VALUES (1, '1')")

    install(db, plan(db, [PEOPLE]))
    db.execute("UPDATE people SET phone = '2'")

    assert disabled == ["trigger", "trigger"]
    assert changed == ["shape"]
    assert kinds(db) == []
    assert search(db, operation="update")[0].after == {"phone": "2"}
    assert plan(db, [PEOPLE]).steps == ()


@pytest.mark.majors
def test_a_migration_of_a_watched_table_breaks_no_write_and_masks_what_is_new(db: Connection) -> None:
    people(db, 1)
    db.execute("ALTER TABLE people DROP COLUMN name, ADD COLUMN nickname text")
    db.execute("SET SESSION AUTHORIZATION pgkeel_app_a")
    try:
        db.execute("UPDATE people SET nickname = 'Lovelace', data = '{}'")
    finally:
        db.execute("RESET SESSION AUTHORIZATION")
    (masked,) = search(db, operation="update")

    install(db, plan(db, [PEOPLE]))
    db.execute("UPDATE people SET nickname = 'Ada'")

    assert masked.after == {"nickname": "changed", "data": {}}
    assert search(db, operation="update")[0].after == {"nickname": "Ada"}


def test_a_plan_says_what_it_would_do_and_applied_twice_does_nothing(db: Connection) -> None:
    assert plan(db, [PEOPLE]).steps == ()
    assert plan(db, []).steps == ("stop watching public.people",)
    with pytest.raises(ConfigError, match=r"public\.nowhere"):
        plan(db, [Watched("public", "nowhere")])

    install(db, plan(db, []))
    people(db)

    assert search(db, table="public.people") == ()
    assert plan(db, [PEOPLE]).steps == ("watch public.people (email, password_hash: only that they changed)",)


def test_a_table_that_was_dropped_is_found_and_one_that_never_was_is_an_error(db: Connection) -> None:
    assert search(db, table="public.people", actor="nobody") == ()
    people(db, 1)
    db.execute("DROP TABLE people")

    assert {one.operation for one in search(db, table="public.people")} == {"insert", "ddl"}
    assert search(db, table="public.people", actor="nobody") == ()
    with pytest.raises(NotFound, match=r"no table public\.poeple"):
        search(db, table="public.poeple")


def test_the_history_of_a_row_is_found_without_reading_the_whole_log(db: Connection) -> None:
    db.execute(
        "INSERT INTO audit.written (table_name, row_id, operation)"
        " SELECT 'public.t', md5(n::text), 'insert' FROM generate_series(1, 20000) n"
    )
    seal_it(db)
    db.execute("VACUUM ANALYZE audit.record")
    query = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT FROM audit.log WHERE table_name = 'public.t' AND row_id = md5('7')"
    steps = "\n".join(row["QUERY PLAN"] for row in db.execute(query))
    pages = db.execute("SELECT sum(relpages)::int AS pages FROM pg_class WHERE relname LIKE 'log\\_2%'").fetchone()

    assert pages is not None
    assert sum(int(number) for number in re.findall(r"lossy=(\d+)", steps)) < pages["pages"] / 2, steps
    assert len(search(db, table="public.t", row=hashlib.md5(b"7").hexdigest())) == 1


EVIL = """
CREATE SCHEMA evil;
CREATE FUNCTION evil.same(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.same(jsonb, jsonb) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.= (leftarg = text, rightarg = text, function = evil.same);
CREATE OPERATOR evil.= (leftarg = jsonb, rightarg = jsonb, function = evil.same);
CREATE FUNCTION evil.unlike(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'somebody else' $$;
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT timestamptz '2000-01-01' $$;
CREATE FUNCTION evil.jsonb_build_array(text, text) RETURNS jsonb LANGUAGE sql AS $$ SELECT '["a", "b"]'::jsonb $$;
CREATE DOMAIN evil.jsonb AS pg_catalog.jsonb CHECK (VALUE IS NULL);
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (VALUE IS NULL);
GRANT USAGE ON SCHEMA evil TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA evil TO PUBLIC;
"""


@pytest.mark.majors
def test_a_writers_search_path_has_no_say_in_what_is_noted(db: Connection, empty_db: Url) -> None:
    people(db, 1)
    db.execute(EVIL)
    with connect(empty_db) as writer:
        for number, path in enumerate(("evil, pg_catalog, pg_temp", "''", "evil", "evil, public, pg_catalog")):
            writer.execute(f"SET search_path = {path}")
            with writer.transaction():
                writer.execute("SELECT pg_catalog.set_config('pgkeel.actor', 'me', true)")
                writer.execute(f"UPDATE public.people SET name = 'n{number}', email = '{number}', data = '{number}' WHERE id = 1")
    (made,) = search(db, operation="insert")
    entries = search(db, operation="update")[::-1]

    assert [(entry.actor, entry.row_id, entry.after) for entry in entries] == [
        ("me", "1", {"name": f"n{number}", "email": "changed", "data": number}) for number in range(4)
    ]
    assert all(entry.at > made.at for entry in entries)


def test_hostile_names_of_tables_and_columns_are_names(db: Connection) -> None:
    db.execute('CREATE TABLE "it\'s %s; --" ("a""b" integer, "%I $x$ \'" text, PRIMARY KEY ("a""b"))')
    hostile = Watched("public", "it's %s; --", ("%I $x$ '",))
    install(db, plan(db, [PEOPLE, hostile]))

    db.execute("INSERT INTO \"it's %s; --\" VALUES (1, 'secret')")
    db.execute("UPDATE \"it's %s; --\" SET \"%I $x$ '\" = 'other'")
    db.execute('DELETE FROM "it\'s %s; --"')

    found = search(db, table=hostile.name)
    assert [one.operation for one in found] == ["delete", "update", "insert"]
    assert all("secret" not in str(one) for one in found)
    assert kinds(db) == []


@pytest.mark.majors
def test_old_months_leave_the_log_and_their_seals_still_prove_the_chain(db: Connection, sink: FileSink) -> None:
    from datetime import timedelta

    db.execute("SET ROLE pgkeel_audit")
    db.execute("CREATE TABLE audit.log_2020_01 PARTITION OF audit.record FOR VALUES FROM ('2020-01-01+00') TO ('2020-02-01+00')")
    db.execute("INSERT INTO audit.written (at, table_name, operation) VALUES ('2020-01-05', 'old', 'insert')")
    db.execute("RESET ROLE")
    people(db)
    seal_it(db)
    anchor(db, [sink])

    gone = retire(db, keep=timedelta(days=400))

    assert gone == ("audit.log_2020_01",)
    with pytest.raises(NotFound):
        search(db, table="old")
    assert kinds(db, sink) == []
    assert retire(db, keep=timedelta(days=400)) == ()


def test_a_month_that_has_left_the_log_is_proved_while_its_table_is_there(db: Connection, sink: FileSink) -> None:
    from datetime import timedelta

    db.execute("SET ROLE pgkeel_audit")
    db.execute("CREATE TABLE audit.log_2020_01 PARTITION OF audit.record FOR VALUES FROM ('2020-01-01+00') TO ('2020-02-01+00')")
    db.execute("INSERT INTO audit.written (at, table_name, row_id, operation) VALUES ('2020-01-05', 'old', '1', 'insert')")
    db.execute("RESET ROLE")
    people(db)
    seal_it(db)
    retire(db, keep=timedelta(days=400))
    untouched = kinds(db, sink)

    db.execute("UPDATE audit.log_2020_01 SET row_id = '2'")
    changed = kinds(db, sink)
    db.execute("DELETE FROM audit.log_2020_01")
    removed = kinds(db, sink)
    db.execute("DROP TABLE audit.log_2020_01")

    assert (untouched, changed, removed, kinds(db, sink)) == ([], ["changed"], ["removed"], [])


def test_half_an_anchor_that_a_kill_left_is_ignored_and_a_foreign_line_is_an_error(db: Connection, sink: FileSink) -> None:
    people(db)
    seal_it(db)
    anchor(db, [sink])
    file = Path(sink.name)
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:20])
    halved = kinds(db, sink)
    file.write_bytes(b"nonsense\n" + whole)

    assert halved == []
    with pytest.raises(ConfigError, match="line 1"):
        verify(db, [sink])
