from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pgkeel.core.errors import Unreachable
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Account, Cluster, find_runtime
from pgkeel.postgres import Connection, connect
from pgkeel.security import LOGINS, OWNER, ensure_passwords, ensure_rights, ensure_roles
from pgkeel.testing.servers import scratch_cluster

pytestmark = pytest.mark.majors
PASSWORDS = {login: Secret(f"password-of-{login}") for login in LOGINS.values()}


@pytest.fixture(scope="module")
def roles_cluster(major: str, account: Account) -> Iterator[Cluster]:
    """A server of this module's own, because roles belong to the whole server; its log shows every statement."""
    settings = {"log_statement": "all", "log_min_duration_statement": "0"}
    with scratch_cluster(runtime=find_runtime(major, account=account), account=account, settings=settings) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def secured(roles_cluster: Cluster) -> Url:
    """A database with roles and rights, everything run twice, and one table that came later."""
    with connect(roles_cluster.superuser_url()) as superuser:
        ensure_roles(superuser)
        ensure_roles(superuser)
        ensure_passwords(superuser, PASSWORDS)
    roles_cluster.create_database("secured", owner=OWNER)
    url = roles_cluster.superuser_url("secured")
    with connect(url) as superuser:
        ensure_rights(superuser)
        ensure_rights(superuser)
    with connect(as_role(url, "owner")) as owner:
        owner.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY, legacy bigserial, body text)")
        owner.execute("INSERT INTO later (body) VALUES ('first')")
        owner.execute("CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42'")
        owner.execute("CREATE TABLE pgkeel.internal (id int)")
    return url


def as_role(url: Url, word: str) -> Url:
    login = LOGINS[word]
    return url.with_login(login, PASSWORDS[login])


def outcome(connection: Connection, statement: str) -> str:
    """Return "yes", or the SQLSTATE of the refusal."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.Error as err:
        return err.sqlstate or "?"
    return "yes"


DENIED = "42501"
READ_ONLY = "25006"
MATRIX = [
    # statement                                        owner    app      readonly   monitor
    ("SELECT * FROM public.later",                            "yes",   "yes",   "yes",     DENIED),
    ("INSERT INTO public.later (body) VALUES ('x')",          "yes",   "yes",   READ_ONLY, DENIED),
    ("UPDATE public.later SET body = 'x'",                    "yes",   "yes",   READ_ONLY, DENIED),
    ("DELETE FROM public.later",                              "yes",   "yes",   READ_ONLY, DENIED),
    ("TRUNCATE public.later",                                 "yes",   DENIED,  READ_ONLY, DENIED),
    ("SELECT nextval('public.later_legacy_seq')",             "yes",   "yes",   DENIED,    DENIED),
    ("SELECT public.answer()",                                "yes",   "yes",   DENIED,    DENIED),
    ("CREATE TABLE public.mine (id int)",                     "yes",   DENIED,  READ_ONLY, DENIED),
    ("CREATE TABLE pgkeel.mine (id int)",              "yes",   DENIED,  READ_ONLY, DENIED),
    ("CREATE SCHEMA mine",                             "yes",   DENIED,  READ_ONLY, DENIED),
    ("CREATE TEMP TABLE mine (id int)",                "yes",   DENIED,  READ_ONLY, DENIED),
    ("ALTER TABLE public.later ADD COLUMN extra int",         "yes",   DENIED,  READ_ONLY, DENIED),
    ("DROP TABLE public.later",                               "yes",   DENIED,  READ_ONLY, DENIED),
    ("SELECT * FROM pgkeel.internal",                  "yes",   DENIED,  DENIED,    DENIED),
    ("CREATE ROLE mine",                               DENIED,  DENIED,  READ_ONLY, DENIED),
    ("SET ROLE pgkeel_owner",                          "yes",   DENIED,  DENIED,    DENIED),
    ("SET ROLE postgres",                              DENIED,  DENIED,  DENIED,    DENIED),
    ("SELECT rolpassword FROM pg_authid",              DENIED,  DENIED,  DENIED,    DENIED),
    ("COPY public.later TO PROGRAM 'cat'",                    DENIED,  DENIED,  DENIED,    DENIED),
]  # fmt: skip


@pytest.mark.parametrize("row", MATRIX, ids=[row[0] for row in MATRIX])
def test_each_role_may_do_exactly_what_the_table_says(secured: Url, row: tuple[str, ...]) -> None:
    statement, *expected = row
    found = []
    for word in ("owner", "app", "readonly", "monitor"):
        with connect(as_role(secured, word)) as connection:
            found.append(outcome(connection, statement))

    assert found == expected


def test_the_barrier_before_the_reader_is_the_missing_right_and_not_the_read_only_default(secured: Url) -> None:
    with connect(as_role(secured, "readonly")) as connection:
        connection.execute("SET default_transaction_read_only = off")
        refused = [outcome(connection, text) for text in ("INSERT INTO later (body) VALUES ('x')", "CREATE TABLE mine (id int)")]

    assert refused == [DENIED, DENIED]


def test_what_the_migrator_makes_belongs_to_the_owner(secured: Url) -> None:
    with connect(as_role(secured, "owner")) as connection:
        row = connection.execute(
            "SELECT session_user, current_user, tableowner FROM pg_tables WHERE tablename = 'later'"
        ).fetchone()

    assert row == {"session_user": "pgkeel_migrator", "current_user": OWNER, "tableowner": OWNER}


def test_the_monitor_sees_what_others_run(secured: Url) -> None:
    with connect(as_role(secured, "app"), application="watched") as app, connect(as_role(secured, "monitor")) as monitor:
        app.execute("SELECT 'seen by the monitor'")
        row = monitor.execute("SELECT query FROM pg_stat_activity WHERE application_name = 'watched'").fetchone()

    assert row == {"query": "SELECT 'seen by the monitor'"}


def test_a_stranger_gets_into_no_database(roles_cluster: Cluster, secured: Url) -> None:
    with connect(secured) as superuser:
        superuser.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
        superuser.execute("SELECT 1")
    refused = []
    for name in ("secured", "postgres", "template1"):
        try:
            connect(roles_cluster.superuser_url(name).with_login("stranger", Secret("stranger"))).close()
        except Unreachable:
            refused.append(name)
    with connect(secured) as superuser:
        superuser.execute("DROP ROLE stranger")

    assert refused == ["secured", "postgres", "template1"]


def test_an_unchanged_password_is_not_written_again(secured: Url) -> None:
    with connect(secured) as superuser:
        assert ensure_passwords(superuser, PASSWORDS) == []


def test_a_password_that_differs_from_its_file_is_set_again(secured: Url) -> None:
    with connect(secured) as superuser:
        superuser.execute("ALTER ROLE pgkeel_app_a PASSWORD 'somebody changed it'")
        changed = ensure_passwords(superuser, PASSWORDS)

    assert changed == ["pgkeel_app_a"]
    connect(as_role(secured, "app")).close()


def test_no_password_and_no_verifier_reaches_the_log_or_the_statistics(roles_cluster: Cluster, secured: Url) -> None:
    with connect(secured) as superuser:
        ensure_passwords(superuser, {"pgkeel_monitor": Secret("rotated-password-of-the-monitor")})
        ensure_passwords(superuser, PASSWORDS)
    with connect(secured) as superuser:
        superuser.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        statements = superuser.execute("SELECT query FROM pg_stat_statements").fetchall()
    log = "".join(file.read_text() for file in Path(roles_cluster.log).glob("*"))

    assert "CREATE DATABASE" in log
    superuser_password = roles_cluster.plan.superuser_password.reveal()
    for secret in ("password-of-pgkeel", "rotated-password", superuser_password, "SCRAM-SHA-256$"):
        assert secret not in log
        assert not [row for row in statements if secret in str(row["query"])]
