"""The audit log of tables that consist of others: no write is missed because it names a part, and nothing is made up."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from pgkeel.core.errors import ConfigError
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.security.audit import Watched, follow, install, plan, search, verify
from pgkeel.security.roles import Declaration, ensure_rights, ensure_roles, plan_for

VISITS = Watched("public", "visits", ("secret",))
TABLES = """
CREATE TABLE visits (id integer, on_day date, note text, secret text, PRIMARY KEY (id, on_day)) PARTITION BY RANGE (on_day);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM ('2026-02-01') TO ('2026-03-01') PARTITION BY LIST (id);
CREATE TABLE visits_2_rest PARTITION OF visits_2 DEFAULT;
"""


@pytest.fixture
def bare(empty_db: Url) -> Iterator[Connection]:
    with connect(empty_db) as superuser:
        ensure_roles(superuser)
        superuser.execute("ALTER SCHEMA public OWNER TO pgkeel_owner")
        with owner(superuser):
            superuser.execute(TABLES)
        ensure_rights(superuser)
        yield superuser


@pytest.fixture
def db(bare: Connection) -> Connection:
    install(bare, plan(bare, [VISITS]))
    return bare


@contextmanager
def owner(db: Connection) -> Iterator[None]:
    db.execute("SET ROLE pgkeel_owner")
    yield
    db.execute("RESET ROLE")


def told(db: Connection, table: str = "public.visits") -> list[tuple[object, ...]]:
    """What the log has of a table's rows, oldest first."""
    found = search(db, table=table)[::-1]
    return [(one.operation, one.row_id, one.before, one.after) for one in found if one.operation != "ddl"]


def problems(db: Connection) -> list[str]:
    return [problem.detail for problem in verify(db).problems]


@pytest.mark.majors
def test_a_write_that_names_a_partition_is_noted_as_one_of_the_whole(db: Connection) -> None:
    db.execute("INSERT INTO visits_1 VALUES (1, '2026-01-05', 'a', 's')")
    db.execute("UPDATE visits_1 SET note = 'b', secret = 't'")
    db.execute("DELETE FROM visits_1")
    db.execute("INSERT INTO visits VALUES (2, '2026-02-05', 'c')")
    db.execute("DELETE FROM visits_2_rest")

    assert told(db) == [
        ("insert", "1,2026-01-05", None, {"id": 1, "on_day": "2026-01-05", "note": "a", "secret": "changed"}),
        ("update", "1,2026-01-05", {"note": "a"}, {"note": "b", "secret": "changed"}),
        ("delete", "1,2026-01-05", {"id": 1, "on_day": "2026-01-05", "note": "b", "secret": "changed"}, None),
        ("insert", "2,2026-02-05", None, {"id": 2, "on_day": "2026-02-05", "note": "c"}),
        ("delete", "2,2026-02-05", {"id": 2, "on_day": "2026-02-05", "note": "c"}, None),
    ]


@pytest.mark.majors
def test_a_row_that_an_update_moves_is_deleted_here_and_inserted_there(db: Connection) -> None:
    db.execute("INSERT INTO visits VALUES (1, '2026-01-05', 'a')")

    db.execute("UPDATE visits SET on_day = '2026-02-05'")

    assert told(db)[1:] == [
        ("delete", "1,2026-01-05", {"id": 1, "on_day": "2026-01-05", "note": "a"}, None),
        ("insert", "1,2026-02-05", None, {"id": 1, "on_day": "2026-02-05", "note": "a"}),
    ]


@pytest.mark.majors
def test_a_partition_that_comes_later_is_made_by_the_owner_and_watched(db: Connection) -> None:
    with owner(db):
        db.execute("CREATE TABLE visits_3 PARTITION OF visits FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')")
        db.execute("CREATE TABLE visits_4 (note text, secret text, id integer NOT NULL, on_day date NOT NULL)")
        db.execute("ALTER TABLE visits ATTACH PARTITION visits_4 FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')")
    db.execute("SET session_replication_role = replica")
    db.execute("INSERT INTO visits_3 VALUES (3, '2026-03-05', 'a'); INSERT INTO visits_4 VALUES ('b', 's', 4, '2026-04-05')")
    db.execute("UPDATE visits_4 SET note = 'c'")

    assert problems(db) == []
    assert follow(db) == ("visits_3", "visits_4")
    assert follow(db) == ()
    with owner(db):
        db.execute("TRUNCATE visits_3, visits_4")
    assert plan(db, [VISITS]).steps == ()
    assert [entry[:2] for entry in told(db)] == [
        ("insert", "3,2026-03-05"),
        ("insert", "4,2026-04-05"),
        ("update", "4,2026-04-05"),
    ]
    assert [len(told(db, f"public.visits_{number}")) for number in (3, 4)] == [1, 1]


def test_a_new_owner_makes_partitions_too(db: Connection) -> None:
    db.execute("GRANT ALL ON SCHEMA public TO pgkeel_migrator, pgkeel_rw")
    db.execute("SET event_triggers = off; ALTER TABLE visits OWNER TO pgkeel_migrator; RESET event_triggers")
    steps = plan(db, [VISITS]).steps
    install(db, plan(db, [VISITS]))
    db.execute("SET ROLE pgkeel_migrator")
    db.execute("CREATE TABLE visits_3 PARTITION OF visits FOR VALUES FROM ('2026-03-01') TO ('2026-04-01')")
    db.execute("RESET ROLE; ALTER TABLE visits OWNER TO pgkeel_rw; SET ROLE pgkeel_rw")
    db.execute("CREATE TABLE visits_4 PARTITION OF visits FOR VALUES FROM ('2026-04-01') TO ('2026-05-01')")
    db.execute("RESET ROLE")

    assert steps == ("watch public.visits (secret: only that they changed)",)
    assert problems(db) == []


def test_what_the_owner_may_call_is_declared(db: Connection) -> None:
    declaration = Declaration()
    ensure_rights(db, declaration)
    assert plan_for(db, declaration).statements == ()
    assert plan(db, [VISITS]).steps == ()


def test_an_owner_who_may_make_partitions_gives_the_functions_to_no_other_table(db: Connection) -> None:
    called = db.execute("SELECT tgfoid::regproc::text AS name FROM pg_trigger WHERE tgrelid = 'visits_1'::regclass").fetchall()
    with owner(db):
        db.execute("CREATE TABLE fake (id integer, on_day date, note text, secret text)")
        for row in called:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema audit"):
                db.execute(f"CREATE TRIGGER made_up AFTER INSERT ON fake FOR EACH ROW EXECUTE FUNCTION {row['name']}()")

    assert len(called) == 4


def test_a_partition_whose_trigger_is_disabled_is_a_problem_until_applied_again(db: Connection) -> None:
    db.execute("ALTER TABLE visits_2_rest DISABLE TRIGGER pgkeel_audit_delete")

    seen = problems(db)
    steps = plan(db, [VISITS]).steps
    install(db, plan(db, [VISITS]))

    assert seen == ["public.visits: triggers of visits_2_rest missing, disabled or replaced"]
    assert steps == ("watch public.visits (secret: only that they changed)",)
    assert problems(db) == []
    assert plan(db, [VISITS]).steps == ()


@pytest.mark.parametrize(
    "replaced",
    [
        "CREATE OR REPLACE TRIGGER pgkeel_audit_update AFTER UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION nothing()",
        "CREATE OR REPLACE TRIGGER pgkeel_audit_update AFTER UPDATE ON plain FOR EACH ROW WHEN (false) EXECUTE FUNCTION {}()",
        "CREATE OR REPLACE TRIGGER pgkeel_audit_update AFTER UPDATE OF id ON plain FOR EACH ROW EXECUTE FUNCTION {}()",
    ],
)
def test_a_trigger_that_was_replaced_by_one_that_tells_less_is_a_problem(bare: Connection, replaced: str) -> None:
    plain = Watched("public", "plain")
    bare.execute("CREATE TABLE plain (id integer PRIMARY KEY, note text)")
    install(bare, plan(bare, [plain]))
    bare.execute("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    row = bare.execute("SELECT tgfoid::regproc::text AS name FROM pg_trigger WHERE tgname = 'pgkeel_audit_update'").fetchone()
    assert row is not None

    bare.execute(replaced.format(row["name"]))
    bare.execute("ALTER TABLE plain ENABLE ALWAYS TRIGGER pgkeel_audit_update")
    seen = problems(bare)
    install(bare, plan(bare, [plain]))

    assert seen == ["public.plain: 1 trigger missing, disabled or replaced"]
    assert problems(bare) == []


@pytest.mark.majors
def test_a_partition_on_another_server_is_watched_with_the_rest(bare: Connection) -> None:
    bare.execute("ALTER TABLE visits DROP CONSTRAINT visits_pkey")
    bare.execute("CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER elsewhere FOREIGN DATA WRAPPER nothing")
    bare.execute("CREATE FOREIGN TABLE far PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') SERVER elsewhere")

    install(bare, plan(bare, [VISITS]))
    bare.execute("TRUNCATE visits_1")

    assert (plan(bare, [VISITS]).steps, follow(bare), problems(bare)) == ((), (), [])
    assert [entry[0] for entry in told(bare, "public.visits_1")] == ["truncate"]


def test_a_part_alone_and_a_table_without_its_heirs_are_refused(bare: Connection) -> None:
    bare.execute("CREATE TABLE base (id integer PRIMARY KEY, note text); CREATE TABLE heir () INHERITS (base)")
    base, heir = Watched("public", "base"), Watched("public", "heir")

    with pytest.raises(ConfigError, match=r"public\.visits_2_rest, a partition of public\.visits") as part:
        plan(bare, [Watched("public", "visits_2_rest")])
    with pytest.raises(ConfigError, match=r"public\.base, but not what inherits from it: public\.heir"):
        plan(bare, [base])
    install(bare, plan(bare, [base, heir]))
    bare.execute("INSERT INTO base VALUES (1, 'a'); INSERT INTO heir VALUES (2, 'b'); UPDATE base SET note = 'c'")
    bare.execute("DELETE FROM base")

    assert part.value.hint == "name public.visits: its partitions are watched with it"
    assert [entry[:2] for entry in told(bare, "public.base")] == [
        ("insert", "1"), ("update", "1"), ("delete", "1"), ("delete", "2"),
    ]  # fmt: skip
    assert [entry[0] for entry in told(bare, "public.heir")] == ["insert", "update"]


def test_a_watched_table_that_becomes_a_part_or_gets_an_heir_is_a_problem(bare: Connection) -> None:
    bare.execute("CREATE TABLE visits_9 (LIKE visits INCLUDING ALL); CREATE TABLE base (id integer PRIMARY KEY, note text)")
    install(bare, plan(bare, [Watched("public", "visits_9"), Watched("public", "base")]))

    bare.execute("ALTER TABLE visits ATTACH PARTITION visits_9 FOR VALUES FROM ('2026-09-01') TO ('2026-10-01')")
    bare.execute("CREATE TABLE heir () INHERITS (base)")

    assert problems(bare) == [
        "public.base: public.heir inherits from it unwatched",
        "public.visits_9 is a partition of public.visits now: watch that",
    ]


def test_a_table_of_parts_that_is_watched_no_longer_leaves_nothing_behind(db: Connection) -> None:
    db.execute("CREATE TABLE plain (id integer PRIMARY KEY)")
    install(db, plan(db, [VISITS, Watched("public", "plain")]))
    db.execute("DROP TABLE plain")
    install(db, plan(db, []))
    db.execute("INSERT INTO visits VALUES (1, '2026-01-05', 'a'); TRUNCATE visits_1")

    triggers = db.execute("SELECT tgname FROM pg_trigger WHERE tgname LIKE 'pgkeel%'").fetchall()
    functions = db.execute("SELECT proname FROM pg_proc WHERE proname LIKE 'public\\_\\_%'").fetchall()
    assert (triggers, functions, told(db)) == ([], [], [])
