"""The plan: what is declared is given, the rest of our roles' rights is revoked, and others keep theirs."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from pgkeel.core.config import SecurityConfig
from pgkeel.core.errors import ConfigError
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Account, Cluster, find_runtime
from pgkeel.postgres import Connection, connect
from pgkeel.security import OWNER, ensure_roles
from pgkeel.security.roles import Declaration, LastPath, RolesMoved, apply, matrix, plan_for
from pgkeel.security.roles.declaration import ROLES
from pgkeel.testing.servers import scratch_cluster

pytestmark = pytest.mark.majors
EMBEDDED = Declaration(owns_server=True)
PASSED_ON = """
GRANT ALL ON posts TO pgkeel_rw WITH GRANT OPTION;
SET SESSION AUTHORIZATION pgkeel_rw;
GRANT DELETE ON posts TO pgkeel_ro;
RESET SESSION AUTHORIZATION;
"""
TABLES = """
CREATE TABLE posts (id bigint GENERATED ALWAYS AS IDENTITY, title text, secret text);
CREATE TABLE notes (id bigserial, body text);
CREATE VIEW titles AS SELECT title FROM posts;
CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42';
"""

# What hands one of our roles more than was declared, each of which the matrix must show as well
PLANTED = [
    "GRANT pg_execute_server_program TO pgkeel_app_a",
    "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO pgkeel_app_a",
    "GRANT CREATE ON DATABASE template1 TO pgkeel_app_a",
    "ALTER TABLE posts OWNER TO pgkeel_rw",
    "ALTER TABLE notes OWNER TO pgkeel_migrator",
    "ALTER VIEW titles OWNER TO pgkeel_app_a",
    "ALTER FUNCTION answer() OWNER TO pgkeel_readonly_a",
    "ALTER SCHEMA public OWNER TO pgkeel_app_a",
    "ALTER DATABASE secured OWNER TO pgkeel_app_b",
    "GRANT SELECT ON posts TO pgkeel_owner; ALTER TABLE posts OWNER TO pgkeel_app_a; GRANT ALL ON posts TO pgkeel_owner",
    "REVOKE EXECUTE ON FUNCTION pg_switch_wal() FROM pgkeel_backup",
    """CREATE AGGREGATE public.nth(float8 ORDER BY anyelement)
        (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra)""",
]

COME_AND_GO = """
DO $$ BEGIN
    LOOP
        CREATE TABLE coming (id bigint); COMMIT;
        DROP TABLE coming; COMMIT;
    END LOOP;
END $$
"""


@pytest.fixture(scope="module")
def server(major: str, account: Account) -> Iterator[Cluster]:
    """A server of this module's own, because roles belong to the whole server."""
    with scratch_cluster(runtime=find_runtime(major, account=account), account=account) as cluster:
        with connect(cluster.superuser_url()) as superuser:
            ensure_roles(superuser)
        yield cluster


@pytest.fixture
def secured(server: Cluster) -> Iterator[Connection]:
    """A superuser in a database that was made as declared, with tables that came later."""
    server.create_database("secured", owner=OWNER)
    with connect(server.superuser_url("secured")) as superuser:
        apply(superuser, plan_for(superuser, EMBEDDED).statements)
        superuser.execute(f"SET ROLE {OWNER}; {TABLES} RESET ROLE")
        yield superuser
    server.drop_database("secured")


def planned(connection: Connection, declaration: Declaration = EMBEDDED) -> list[str]:
    return [statement.plain for statement in plan_for(connection, declaration).statements]


def mismatches(connection: Connection, declaration: Declaration = EMBEDDED) -> list[tuple[str, str]]:
    return [(cell.role, cell.operation) for cell in matrix(connection, declaration) if cell.declared != cell.actual]


def come_and_go(connection: Connection) -> None:
    """Make tables as the owner does, and drop them, until the statement is cancelled."""
    with contextlib.suppress(psycopg.errors.QueryCanceled):
        connection.execute(f"SET ROLE {OWNER}")
        connection.execute(COME_AND_GO)


def test_nothing_is_left_to_do_after_apply_even_for_tables_that_came_later(secured: Connection) -> None:
    assert planned(secured) == []


def test_every_cell_of_the_matrix_is_as_declared_later_tables_included(secured: Connection) -> None:
    cells = matrix(secured, EMBEDDED)

    assert len(cells) >= 434
    assert {cell.role for cell in cells} == {role.name for role in ROLES}
    assert mismatches(secured) == []


def test_tables_that_come_and_go_meanwhile_are_no_mismatch(server: Cluster, secured: Connection) -> None:
    with connect(server.superuser_url("secured")) as other:
        coming = threading.Thread(target=come_and_go, args=(other,))
        coming.start()
        found = [mismatches(secured) for _ in range(20)]
        other.cancel()
        coming.join()

    assert found == [[]] * 20


# What each login may do, tried and not only asked: m migrator, w app, r readonly (both of a pair), o monitor, b backup
TRIED = [
    ("SELECT * FROM public.posts", "mwr"),
    ("SELECT title FROM public.posts", "mwr"),
    ("SELECT * FROM public.titles", "mwr"),
    ("SELECT * FROM public.notes", "mwr"),
    ("INSERT INTO public.posts (title) VALUES ('x')", "mw"),
    ("INSERT INTO public.notes (body) VALUES ('x')", "mw"),
    ("UPDATE public.posts SET title = 'x'", "mw"),
    ("UPDATE public.notes SET body = 'x'", "mw"),
    ("DELETE FROM public.posts", "mw"),
    ("DELETE FROM public.notes", "mw"),
    ("SELECT * FROM public.posts FOR UPDATE", "mw"),
    ("TRUNCATE public.posts", "m"),
    ("LOCK TABLE public.posts IN ACCESS EXCLUSIVE MODE", "mw"),
    ("SELECT nextval('public.notes_id_seq')", "mw"),
    ("SELECT setval('public.notes_id_seq', 5)", "m"),
    ("SELECT last_value FROM public.notes_id_seq", "mwr"),
    ("SELECT public.answer()", "mw"),
    ("ALTER TABLE public.posts ADD COLUMN extra int", "m"),
    ("ALTER TABLE public.posts OWNER TO CURRENT_USER", "m"),
    ("ALTER TABLE public.posts ENABLE ROW LEVEL SECURITY", "m"),
    ("CREATE INDEX ON public.posts (title)", "m"),
    ("COMMENT ON TABLE public.posts IS 'x'", "m"),
    ("DROP TABLE public.notes", "m"),
    ("DROP VIEW public.titles", "m"),
    ("DROP FUNCTION public.answer()", "m"),
    ("CREATE TABLE public.mine (id int)", "m"),
    ("CREATE VIEW public.mine AS SELECT 1 AS one", "m"),
    ("CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'", "m"),
    ("CREATE TYPE public.mine AS ENUM ('a')", "m"),
    ("CREATE SEQUENCE public.mine", "m"),
    ("CREATE TABLE pgkeel.mine (id int)", "m"),
    ("CREATE TABLE audit.mine (id int)", ""),
    ("CREATE SCHEMA mine", "m"),
    ("DROP SCHEMA pgkeel", "m"),
    ("DROP SCHEMA audit", ""),
    ("CREATE TEMP TABLE mine (id int)", "m"),
    ("GRANT pgkeel_owner TO CURRENT_USER", ""),
    ("CREATE EXTENSION plpython3u", ""),
    ("CREATE ROLE mine", ""),
    ("ALTER ROLE pgkeel_ro LOGIN", ""),
    ("ALTER ROLE postgres NOLOGIN", ""),
    ("ALTER DATABASE secured SET work_mem = '1GB'", "m"),
    ("SET ROLE pgkeel_owner", "m"),
    ("SET ROLE pgkeel_audit", ""),
    ("SET ROLE pg_monitor", ""),
    ("SET ROLE postgres", ""),
    ("SET SESSION AUTHORIZATION postgres", ""),
    ("SET session_replication_role = 'replica'", ""),
    ("SELECT rolpassword FROM pg_authid", ""),
    ("SELECT * FROM pg_hba_file_rules", "o"),
    ("SELECT pg_read_file('PG_VERSION')", ""),
    ("SELECT pg_ls_waldir()", "o"),
    ("SELECT pg_reload_conf()", ""),
    ("SELECT pg_switch_wal()", "b"),
    ("SELECT pg_create_restore_point('x')", "b"),
    ("COPY public.posts TO PROGRAM 'cat'", ""),
    ("INSERT INTO public.posts (title) SELECT title FROM public.posts", "mw"),
    ("DELETE FROM public.posts USING public.notes", "mw"),
    ("ALTER TABLE public.notes RENAME TO other", "m"),
    ("ALTER TABLE public.posts RENAME COLUMN title TO other", "m"),
    ("ALTER SCHEMA public RENAME TO other", "m"),
    ("CREATE STATISTICS public.mine ON id, title FROM public.posts", "m"),
    ("REINDEX TABLE public.posts", "m"),
    ("SELECT pg_stat_reset()", ""),
    ("COPY public.posts TO '/tmp/pgkeel-mine'", ""),
]  # fmt: skip
LOGINS = {
    "m": ["pgkeel_migrator"], "w": ["pgkeel_app_a", "pgkeel_app_b"], "r": ["pgkeel_readonly_a", "pgkeel_readonly_b"],
    "o": ["pgkeel_monitor"], "b": ["pgkeel_backup"],
}  # fmt: skip


@pytest.fixture
def logins(secured: Connection, server: Cluster) -> Iterator[dict[str, list[Connection]]]:
    """A connection of each login, by its letter."""
    password = Secret("one for all")
    for name in (name for names in LOGINS.values() for name in names):
        secured.pgconn.change_password(name.encode(), password.reveal().encode())
    url = server.superuser_url("secured")
    opened = {letter: [connect(url.with_login(name, password)) for name in names] for letter, names in LOGINS.items()}
    yield opened
    for connection in (connection for connections in opened.values() for connection in connections):
        connection.close()


def is_allowed(connection: Connection, statement: str) -> bool:
    connection.execute("SET default_transaction_read_only = off")
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def test_each_login_may_do_what_is_declared_and_nothing_else(logins: dict[str, list[Connection]], major: str) -> None:
    declared = dict(TRIED) | ({"SET ROLE pg_monitor": "o"} if major == "15" else {})  # there every member may become its group
    found = {
        statement: {letter: {is_allowed(one, statement) for one in connections} for letter, connections in logins.items()}
        for statement, _ in TRIED
    }

    assert found == {statement: {letter: {letter in allowed} for letter in LOGINS} for statement, allowed in declared.items()}
    assert len(TRIED) * sum(map(len, LOGINS.values())) >= 434


def test_a_planted_right_is_found_by_plan_and_matrix_and_taken_away(secured: Connection) -> None:
    secured.execute("GRANT DELETE ON posts TO pgkeel_ro")

    assert planned(secured) == ['REVOKE DELETE ON TABLE "public"."posts" FROM "pgkeel_ro" CASCADE']
    assert ("pgkeel_readonly_b", "DELETE on table public.posts") in mismatches(secured)
    apply(secured, plan_for(secured, EMBEDDED).statements)
    assert (planned(secured), mismatches(secured)) == ([], [])


@pytest.mark.parametrize(
    "planted",
    [
        "GRANT SELECT (secret) ON posts TO pgkeel_auditor",
        "GRANT EXECUTE ON FUNCTION pg_read_file(text) TO pgkeel_app_a",
        "GRANT UPDATE ON SEQUENCE notes_id_seq TO pgkeel_rw WITH GRANT OPTION",
        "GRANT SELECT ON posts TO pgkeel_ro WITH GRANT OPTION",
        PASSED_ON,
        "GRANT CREATE ON SCHEMA public TO PUBLIC",
        "GRANT TEMPORARY ON DATABASE secured TO PUBLIC",
        "GRANT CONNECT ON DATABASE postgres TO PUBLIC",
        "GRANT EXECUTE ON FUNCTION answer() TO PUBLIC",
        "GRANT pg_read_all_data TO pgkeel_app_b",
        "GRANT pgkeel_owner TO pgkeel_app_a",
        "GRANT pgkeel_ro TO pgkeel_readonly_a WITH ADMIN OPTION",
        "ALTER ROLE pgkeel_app_a SUPERUSER CREATEROLE",
        "ALTER ROLE pgkeel_ro LOGIN",
        "ALTER ROLE pgkeel_migrator RESET role",
        "DROP ROLE pgkeel_readonly_b",
        "ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner GRANT ALL ON TABLES TO pgkeel_ro",
        "ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner IN SCHEMA public REVOKE SELECT ON TABLES FROM pgkeel_ro",
        "ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
    ],
)
def test_whatever_drifts_comes_back(secured: Connection, planted: str) -> None:
    secured.execute(planted)

    assert planned(secured) != []
    apply(secured, plan_for(secured, EMBEDDED).statements)

    assert (planned(secured), mismatches(secured)) == ([], [])


@pytest.mark.parametrize("planted", PLANTED)
def test_the_matrix_finds_what_the_plan_finds_ownership_and_the_servers_own_rights_included(
    secured: Connection, planted: str
) -> None:
    secured.execute(planted)

    assert mismatches(secured) != []
    assert planned(secured) != []
    apply(secured, plan_for(secured, EMBEDDED).statements)

    assert (planned(secured), mismatches(secured)) == ([], [])


@pytest.mark.parametrize(
    ("planted", "since"),
    [
        ("GRANT MAINTAIN ON posts TO pgkeel_ro", 17),
        ("GRANT pgkeel_ro TO pgkeel_readonly_a WITH ADMIN TRUE, INHERIT TRUE, SET FALSE", 16),
    ],
)
def test_the_matrix_knows_the_rights_of_newer_servers(secured: Connection, major: str, planted: str, since: int) -> None:
    if int(major) < since:
        pytest.skip(f"from PostgreSQL {since} on")
    secured.execute(planted)

    assert mismatches(secured) != []
    apply(secured, plan_for(secured, EMBEDDED).statements)

    assert (planned(secured), mismatches(secured)) == ([], [])


def test_an_application_that_owned_a_table_keeps_its_declared_rights_on_it(secured: Connection) -> None:
    secured.execute("ALTER TABLE posts OWNER TO pgkeel_rw")

    apply(secured, plan_for(secured, EMBEDDED).statements)
    secured.execute("SET ROLE pgkeel_app_a")
    seen = [
        is_allowed(secured, text) for text in ("SELECT id FROM posts", "DELETE FROM posts", "TRUNCATE posts", "DROP TABLE posts")
    ]
    secured.execute("RESET ROLE")

    assert seen == [True, True, False, False]


def test_rights_on_settings_and_large_objects_are_reported(secured: Connection) -> None:
    secured.execute("SELECT lo_create(4711); GRANT SELECT ON LARGE OBJECT 4711 TO pgkeel_ro")
    secured.execute("GRANT ALTER SYSTEM ON PARAMETER archive_command TO pgkeel_app_a")
    try:
        outside = plan_for(secured, EMBEDDED).outside
    finally:
        secured.execute("REVOKE ALL ON PARAMETER archive_command FROM pgkeel_app_a")

    assert outside == ("pgkeel_ro may SELECT on large object 4711", "pgkeel_app_a may ALTER SYSTEM on parameter archive_command")


def test_a_missing_default_privilege_is_found_by_the_matrix(secured: Connection) -> None:
    secured.execute("ALTER DEFAULT PRIVILEGES FOR ROLE pgkeel_owner IN SCHEMA public REVOKE INSERT ON TABLES FROM pgkeel_rw")

    assert set(mismatches(secured)) == {
        (role, "INSERT on later tables of pgkeel_owner in public") for role in ("pgkeel_rw", "pgkeel_app_a", "pgkeel_app_b")
    }


def test_exceptions_narrow_a_group_down_to_columns(secured: Connection) -> None:
    declared = Declaration.of(SecurityConfig(ro={"posts": "SELECT (id, title)", "notes": ""}), owns_server=True)

    apply(secured, plan_for(secured, declared).statements)
    secured.execute("SET ROLE pgkeel_ro")
    seen = [
        is_allowed(secured, f"SELECT {columns} FROM {table}")
        for columns, table in (("id, title", "posts"), ("secret", "posts"), ("body", "notes"))
    ]
    secured.execute("RESET ROLE")

    assert seen == [True, False, False]
    assert (planned(secured, declared), mismatches(secured, declared)) == ([], [])


@pytest.fixture
def foreigner(secured: Connection) -> Iterator[str]:
    secured.execute(
        "CREATE ROLE alice LOGIN; CREATE ROLE rdsadmin LOGIN; GRANT SELECT ON posts TO alice; GRANT INSERT ON posts TO rdsadmin"
    )
    yield "alice"
    secured.execute("DROP OWNED BY alice, rdsadmin; DROP ROLE alice, rdsadmin")


def test_others_keep_theirs_unless_exclusive_and_providers_always(secured: Connection, foreigner: str) -> None:
    secured.execute("GRANT EXECUTE ON FUNCTION answer() TO PUBLIC")
    outside = Declaration()
    found = plan_for(secured, outside)

    apply(secured, found.statements)
    kept = secured.execute(
        "SELECT has_table_privilege('alice', 'posts', 'SELECT')"
        " AND has_function_privilege('alice', 'answer()', 'EXECUTE') AS kept"
    )
    assert kept.fetchone() == {"kept": True}
    others = [statement.plain for statement in found.others]
    assert others == [
        'REVOKE EXECUTE ON ROUTINE "public"."answer"() FROM PUBLIC CASCADE',
        'REVOKE SELECT ON TABLE "public"."posts" FROM "alice" CASCADE',
    ]
    apply(secured, found.others)
    assert plan_for(secured, outside).others == ()
    assert is_held(secured, "rdsadmin", "INSERT")


def is_held(connection: Connection, role: str, privilege: str) -> bool:
    row = connection.execute("SELECT has_table_privilege(%s, 'posts', %s) AS held", (role, privilege)).fetchone()
    return bool(row and row["held"])


def test_the_last_login_that_could_undo_it_is_not_locked_out(server: Cluster, secured: Connection) -> None:
    with connect(server.superuser_url("secured")) as last:
        last.execute("ALTER ROLE pgkeel_migrator SUPERUSER; ALTER ROLE pgkeel_migrator RESET role; ALTER ROLE postgres NOLOGIN")
        last.execute("SET SESSION AUTHORIZATION pgkeel_migrator")
        try:
            with pytest.raises(LastPath):
                apply(last, plan_for(last, EMBEDDED).statements)
        finally:
            last.execute("RESET SESSION AUTHORIZATION; ALTER ROLE postgres LOGIN; ALTER ROLE pgkeel_migrator NOSUPERUSER")
            last.execute("ALTER ROLE pgkeel_migrator SET role = 'pgkeel_owner'")


def test_appliers_in_two_databases_of_a_server_wait_for_each_other(server: Cluster, secured: Connection) -> None:
    server.create_database("second", owner=OWNER)
    try:
        for _ in range(8):
            secured.execute(
                "ALTER ROLE pgkeel_app_a CREATEDB; REVOKE pgkeel_rw FROM pgkeel_app_a; ALTER ROLE pgkeel_backup CREATEROLE"
            )
            with connect(server.superuser_url("second")) as other, connect(server.superuser_url("secured")) as one:
                plans = [(each, plan_for(each, EMBEDDED).statements) for each in (one, other)]
                with ThreadPoolExecutor() as pool:
                    done = list(pool.map(lambda given: apply(*given), plans))
                assert [each.not_done for each in done] == [(), ()]
                assert planned(one) == planned(other) == []
    finally:
        server.drop_database("second")


def test_what_somebody_else_made_meanwhile_is_said_and_not_half_done(server: Cluster, secured: Connection) -> None:
    server.create_database("second", owner=OWNER)
    try:
        with connect(server.superuser_url("second")) as other:
            stale = plan_for(other, EMBEDDED).statements
            other.execute("CREATE SCHEMA pgkeel")
            with pytest.raises(RolesMoved, match="somebody else changed roles or rights meanwhile"):
                apply(other, stale)
            apply(other, plan_for(other, EMBEDDED).statements)
            assert planned(other) == []
    finally:
        server.drop_database("second")


def test_what_extensions_put_into_the_schemas_is_nobodys_to_declare(secured: Connection) -> None:
    for name in ("pg_trgm", "pgcrypto", "postgres_fdw", "hstore", "citext", "pg_stat_statements", "file_fdw", "pg_buffercache"):
        secured.execute(f"CREATE EXTENSION {name} SCHEMA public")
    secured.execute(f"SET ROLE {OWNER}; CREATE EXTENSION ltree SCHEMA public; RESET ROLE")
    secured.execute("CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw; CREATE FOREIGN TABLE far_away (id int) SERVER far")
    apply(secured, plan_for(secured, EMBEDDED).statements)

    assert planned(secured) == []
    assert mismatches(secured) == []


def test_a_login_that_is_no_superuser_does_what_it_may_and_says_the_rest(account: Account, major: str) -> None:
    with scratch_cluster(runtime=find_runtime(major, account=account), account=account) as managed:
        with connect(managed.superuser_url()) as provider:
            provider.execute("CREATE ROLE team LOGIN CREATEROLE CREATEDB PASSWORD 'team'")
        managed.create_database("shop", owner="team")
        with connect(managed.superuser_url("shop").with_login("team", Secret("team"))) as team:
            team.execute(TABLES)
            done = apply(team, plan_for(team, Declaration()).statements)
            again = apply(team, plan_for(team, Declaration()).statements)
            team.execute("CREATE TABLE later (id int)")
            held = team.execute("SELECT has_table_privilege('pgkeel_app_b', 'later', 'INSERT') AS held").fetchone()

    assert held == {"held": True}
    assert any("pg_monitor" in one.statement for one in done.not_done) or major == "15"
    assert [one.statement for one in again.not_done] == [one.statement for one in done.not_done]
    assert again.statements == ()


@pytest.fixture
def managed(account: Account, major: str) -> Iterator[Url]:
    """A database of `team`, who makes roles and is no superuser; `guest` makes roles and owns nothing."""
    with scratch_cluster(runtime=find_runtime(major, account=account), account=account) as cluster:
        with connect(cluster.superuser_url()) as provider:
            for name in ("team", "guest"):
                provider.execute(f"CREATE ROLE {name} LOGIN CREATEROLE PASSWORD '{name}'")
        cluster.create_database("shop", owner="team")
        yield cluster.superuser_url("shop")


def test_a_grant_that_the_server_only_warns_about_is_not_called_done(managed: Url) -> None:
    with connect(managed.with_login("guest", Secret("guest"))) as guest:
        done = apply(guest, plan_for(guest, Declaration()).statements)
        left = [one.plain for one in plan_for(guest, Declaration()).statements]

    assert 'GRANT CONNECT ON DATABASE "shop" TO "pgkeel_rw"' in left
    assert left == [one.statement for one in done.not_done]
    assert (
        "no privileges were granted"
        in {one.statement: one.reason for one in done.not_done}['GRANT CONNECT ON DATABASE "shop" TO "pgkeel_rw"']
    )


@pytest.mark.parametrize(
    "wrong",
    [
        SecurityConfig(schemas=("audit",)),
        SecurityConfig(schemas=("pg_catalog",)),
        SecurityConfig(ro={"posts": "LOOK"}),
        SecurityConfig(ro={"posts": "DELETE (id)"}),
        SecurityConfig(ro={"posts": "SELECT (id"}),
        SecurityConfig(rw={"elsewhere.posts": "SELECT"}),
    ],
)
def test_a_wrong_declaration_is_refused(wrong: SecurityConfig) -> None:
    with pytest.raises(ConfigError):
        Declaration.of(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        SecurityConfig(schemas=("nowhere",)),
        SecurityConfig(ro={"nothing": "SELECT"}),
        SecurityConfig(ro={"posts": "SELECT (id, titel)"}),
    ],
)
def test_a_declaration_of_what_is_not_there_is_refused(secured: Connection, wrong: SecurityConfig) -> None:
    with pytest.raises(ConfigError, match="is not in secured"):
        plan_for(secured, Declaration.of(wrong))


def test_the_owner_may_follow_the_wal_where_that_is_declared_and_not_otherwise(secured: Connection) -> None:
    follows = Declaration(owns_server=True, decodes=True)
    planned = [one.plain for one in plan_for(secured, follows).statements]
    apply(secured, plan_for(secured, follows).statements)
    try:
        assert planned == [f'ALTER ROLE "{OWNER}" REPLICATION']
        assert plan_for(secured, follows).statements == ()
        assert [cell for cell in matrix(secured, follows) if cell.declared != cell.actual] == []
    finally:
        apply(secured, plan_for(secured, EMBEDDED).statements)
    assert plan_for(secured, EMBEDDED).statements == ()
