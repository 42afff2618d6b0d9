"""An external `[database] url`: pgkeel looks, and writes only what was allowed in words."""

import json
from collections.abc import Iterator

import pytest

from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.postgres import connect
from tests.projects import Home, remove_home


@pytest.fixture
def outside(empty_db: Url) -> Iterator[dict[str, str]]:
    """The environment of a project whose database somebody else runs, and whose login owns that database alone."""
    login, password = f"team_{empty_db.database}", Secret.generate()
    with connect(empty_db) as superuser:
        superuser.execute(f'CREATE ROLE "{login}" LOGIN')
        superuser.pgconn.change_password(login.encode(), password.reveal().encode())
        superuser.execute(f'ALTER DATABASE "{empty_db.database}" OWNER TO "{login}"')
    yield {"PGKEEL_DATABASE__URL": "env:TEAM_DATABASE", "TEAM_DATABASE": empty_db.with_login(login, password).reveal()}
    with connect(empty_db) as superuser:
        superuser.execute(f'DROP OWNED BY "{login}"')
        superuser.execute(f'ALTER DATABASE "{empty_db.database}" OWNER TO CURRENT_USER')
        superuser.execute(f'DROP ROLE "{login}"')


@pytest.fixture
def team(home: Home) -> Home:
    folder = home.root / "migrations"
    folder.mkdir()
    (folder / "20240101000000_create_cats.sql").write_text(
        "-- Up Migration\nCREATE TABLE cats (id int);\n-- Down Migration\nDROP TABLE cats;\n"
    )
    return home


def objects(url: Url) -> list[str]:
    """Return every schema and table that is not PostgreSQL's own."""
    with connect(url) as connection:
        rows = connection.execute(
            "SELECT n.nspname || coalesce('.' || c.relname, '') AS name FROM pg_namespace n"
            " LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p')"
            " WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1"
        ).fetchall()
    return [row["name"] for row in rows]


@pytest.mark.majors
def test_up_writes_nothing_to_it_without_being_allowed(team: Home, outside: dict[str, str], empty_db: Url) -> None:
    code, name, said = team.error("up", env=outside)

    assert (code, name) == (4, "not_allowed")
    assert "pgkeel up --yes" in said
    assert objects(empty_db) == ["public"]
    assert not team.state.exists()


@pytest.mark.majors
@pytest.mark.parametrize("allowed", ["--yes", "manage"])
def test_up_applies_our_and_the_team_s_migrations_when_allowed(
    team: Home, outside: dict[str, str], empty_db: Url, allowed: str
) -> None:
    env = outside | ({"PGKEEL_DATABASE__MANAGE": "true"} if allowed == "manage" else {})
    arguments = ["--yes"] if allowed == "--yes" else []
    try:
        team.ok("up", *arguments, env=env)

        data = team.data("status", env=env)
        assert data["postgres"]["running"]
        assert data["agent"]["running"]
        assert data["migrations"]["pending"] == 0
        assert "public.cats" in objects(empty_db)
        assert "public.users" not in objects(empty_db)
        assert not (team.state / "server").exists()
    finally:
        team.run("down", env=env)


def test_an_agent_that_was_started_before_backups_were_wanted_is_a_warning(team: Home, outside: dict[str, str]) -> None:
    wants = outside | {"PGKEEL_BACKUP__RECEIVE": "true", "PGKEEL_BACKUP__REPOSITORIES": '{local = "backups"}'}
    try:
        team.ok("up", "--yes", env=outside)
        code, name, said = team.error("backup", "full", "--yes", env=wants)
        warned = team.data("up", "--yes", env=wants)["warnings"]
    finally:
        team.run("down", env=outside)

    assert (code, name) == (2, "config"), said
    assert "receive = true and `pgkeel up --yes`" in said
    assert [one for one in warned if "the agent receives no WAL" in one and "`pgkeel down` and `pgkeel up`" in one] == warned


@pytest.mark.parametrize("source", ["app", "reference"])
def test_a_table_that_exists_is_refused_and_never_adopted(
    team: Home, outside: dict[str, str], empty_db: Url, source: str
) -> None:
    table = {"app": "cats", "reference": "users"}[source]
    env = outside | {"PGKEEL_SCHEMA__REFERENCE": "true"}
    with connect(Url.parse(outside["TEAM_DATABASE"])) as owner:
        owner.execute(f"CREATE TABLE {table} AS SELECT 'precious' AS content")

    code, name, said = team.error("up", "--yes", env=env)

    assert (code, name) == (4, "not_owned")
    assert table in said
    with connect(empty_db) as superuser:
        assert superuser.execute(f"SELECT content FROM {table}").fetchall() == [{"content": "precious"}]


def test_its_url_is_used_as_it_is_and_its_password_is_shown_on_demand_alone(home: Home, outside: dict[str, str]) -> None:
    password = str(Url.parse(outside["TEAM_DATABASE"]).password.reveal())  # type: ignore[union-attr]

    shown = home.ok("url", env=outside)
    said = home.ok("psql", "-Atc", "SELECT session_user", env=outside)

    assert password not in shown
    assert password in home.ok("url", "--reveal", env=outside)
    assert said == Url.parse(outside["TEAM_DATABASE"]).user


def test_status_of_one_that_cannot_be_reached_is_an_answer(home: Home) -> None:
    nowhere = {"PGKEEL_DATABASE__URL": "postgresql://me@127.0.0.1:1/app"}

    done = home.run("status", "--json", env=nowhere)
    up = home.run("up", "--json", env=nowhere)

    assert done.returncode == 1
    assert json.loads(done.stdout)["data"]["postgres"]["running"] is False
    assert up.returncode == 3
    remove_home(home)


def test_a_server_that_somebody_else_runs_is_recovered_beside_it_only(home: Home, outside: dict[str, str]) -> None:
    code, kind, said = home.error("recover", "--yes", env=outside)

    assert (code, kind) == (2, "usage")
    assert "pgkeel recover --into DIR" in said
    assert not home.state.exists()


def test_a_login_that_may_not_is_told_where_it_stands(team: Home, outside: dict[str, str], empty_db: Url) -> None:
    with connect(empty_db) as superuser:
        superuser.execute("CREATE SCHEMA pgkeel")

    code, _, said = team.error("migrate", "status", env=outside)

    assert code == 2
    assert "permission denied for schema pgkeel" in said
    assert "connect as a login that may" in said
