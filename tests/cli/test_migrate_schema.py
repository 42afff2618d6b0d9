"""`pgkeel migrate verify|diff|dump|load|baseline|squash` as a person and a script use them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.postgres import connect
from tests.conftest import MakeCluster
from tests.projects import Home

THINGS = "-- Up Migration\nCREATE TABLE things (id int PRIMARY KEY);\n-- Down Migration\nDROP TABLE things;\n"
MODELS = """
from pgkeel.schema.search import Search
from sqlalchemy import Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Thing(Base):
    __tablename__ = "things"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(20), server_default="x", index=True)
"""
SEARCH = """    __search__ = ({languages})
"""
Environment = dict[str, str]


@pytest.fixture
def outside(empty_db: Url) -> Environment:
    """An environment in which the project's database is an empty external one."""
    return {"PGKEEL_DATABASE__URL": "env:THE_URL", "THE_URL": empty_db.reveal()}


@pytest.fixture
def other(cluster: Cluster) -> Iterator[Url]:
    """A second empty database."""
    cluster.create_database("other")
    yield cluster.superuser_url("other")
    cluster.drop_database("other")


@pytest.fixture
def project(home: Home) -> Home:
    """A project with one migration and models that are ahead of it."""
    (home.root / "migrations").mkdir()
    (home.root / "migrations" / "20240101120000_things.sql").write_text(THINGS)
    (home.root / "shop.py").write_text(MODELS)
    return home


def test_diff_writes_the_index_of_another_search_language_and_then_nothing(project: Home, outside: Environment) -> None:
    models = project.root / "shop.py"
    models.write_text(MODELS + SEARCH.format(languages='Search(("name",), "english"),'))
    project.ok("migrate", "up", env=outside)
    project.data("migrate", "diff", "--models", "shop:Base", "--name", "search", env=outside)
    project.ok("migrate", "up", env=outside)
    models.write_text(MODELS + SEARCH.format(languages='Search(("name",), "english"), Search(("name",), "german"),'))
    written = project.data("migrate", "diff", "--models", "shop:Base", "--name", "search in german", env=outside)
    project.ok("migrate", "up", env=outside)
    again = project.data("migrate", "diff", "--models", "shop:Base", env=outside)

    assert "CREATE INDEX CONCURRENTLY idx_things_search_german ON " in written["text"]
    assert "to_tsvector('german'" in written["text"]
    assert "english" not in written["text"]
    assert (again["differences"], again["path"]) == ([], None)


def test_diff_writes_the_migration_that_brings_the_database_to_the_models(project: Home, outside: Environment) -> None:
    project.ok("migrate", "up", env=outside)
    checked = project.run("migrate", "diff", "--models", "shop:Base", "--check", "--json", env=outside)
    planned = project.data("migrate", "diff", "--models", "shop:Base", "--dry-run", env=outside)
    written = project.data("migrate", "diff", "--models", "shop:Base", "--name", "add name", env=outside)
    project.ok("migrate", "up", env=outside)
    again = project.data("migrate", "diff", "--models", "shop:Base", env=outside)

    assert checked.returncode == 1
    assert planned["path"] is None
    assert Path(written["path"]).name.endswith("_add_name.sql")
    assert Path(written["path"]).read_text() == written["text"] == planned["text"]
    assert "CREATE INDEX CONCURRENTLY ix_things_name" in written["text"]
    assert (again["differences"], again["path"]) == ([], None)
    project.ok("migrate", "down", env=outside)
    assert [
        one["name"] for one in project.data("migrate", "diff", "--models", "shop:Base", "--dry-run", env=outside)["differences"]
    ]


def test_diff_takes_a_schema_file_or_another_database(project: Home, outside: Environment, other: Url) -> None:
    project.ok("migrate", "up", env=outside)
    (project.root / "wanted.sql").write_text("CREATE TABLE things (id int PRIMARY KEY, n int);")
    with connect(other) as connection:
        connection.execute("CREATE TABLE things (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM things")

    by_file = project.data("migrate", "diff", "--schema", str(project.root / "wanted.sql"), "--dry-run", env=outside)
    by_url = project.data("migrate", "diff", "--url", "env:OTHER", "--dry-run", env=outside | {"OTHER": other.reveal()})
    from_files = project.data("migrate", "diff", "--from", "files", "--models", "shop:Base", "--dry-run", env=outside)

    assert "ADD COLUMN n integer" in by_file["text"]
    assert "CREATE VIEW public.v" in by_url["text"]
    assert "ADD COLUMN name" in from_files["text"]


def test_diff_with_two_wanted_sides_or_a_broken_file_is_refused(project: Home, outside: Environment) -> None:
    broken = project.root / "broken.sql"
    broken.write_text("CREATE TABLE a (id int);\nCREATE TALBE b (id int);")

    two = project.error("migrate", "diff", "--schema", str(broken), "--models", "shop:Base", env=outside)
    wrong = project.error("migrate", "diff", "--schema", str(broken), env=outside)

    assert two[:2] == (2, "usage")
    assert wrong[:2] == (2, "bad_migration")
    assert "broken.sql:2:8" in wrong[2]


def test_verify_exits_1_on_drift_and_names_it(project: Home, outside: Environment, empty_db: Url) -> None:
    project.ok("migrate", "up", env=outside)
    fine = project.data("migrate", "verify", env=outside)
    with connect(empty_db) as connection:
        connection.execute("ALTER TABLE things ADD COLUMN n int")

    for arguments in ((), ("--from-files",)):
        drifted = project.run("migrate", "verify", "--json", *arguments, env=outside)
        assert drifted.returncode == 1
        found = json.loads(drifted.stdout)["data"]
        assert [(one["code"], one["object"]) for one in found["findings"]] == [("drift", "column public.things.n")]
    assert fine["findings"] == []


def test_a_dump_is_loaded_elsewhere_and_compared(project: Home, outside: Environment, other: Url) -> None:
    elsewhere = outside | {"THE_URL": other.reveal()}
    file = str(project.root / "schema.sql")
    project.ok("migrate", "up", env=outside)

    project.ok("migrate", "dump", "-o", file, env=outside)
    tried = project.data("migrate", "load", file, "--dry-run", env=elsewhere)
    loaded = project.data("migrate", "load", file, env=elsewhere)

    assert tried["applied"] == 0
    assert loaded["pending"] == 0
    assert project.ok("migrate", "dump", "-o", file, "--check", env=elsewhere).endswith("is up to date")
    assert project.data("migrate", "verify", env=elsewhere)["findings"] == []
    assert project.error("migrate", "load", file, env=elsewhere)[:2] == (4, "not_empty")
    assert project.error("migrate", "dump", "--check", env=outside)[0] == 2


def test_baseline_records_what_is_there_and_refuses_what_is_not(project: Home, outside: Environment, empty_db: Url) -> None:
    refused = project.error("migrate", "baseline", "20240101120000", env=outside)
    with connect(empty_db) as connection:
        connection.execute("CREATE TABLE things (id int PRIMARY KEY)")
    planned = project.data("migrate", "baseline", "20240101120000", "--dry-run", env=outside)
    done = project.data("migrate", "baseline", "20240101120000", env=outside)

    assert refused[:2] == (4, "schema_differs")
    assert planned["recorded"] == done["recorded"] == ["app 20240101120000_things"]
    assert [step["source"] for step in project.data("migrate", "up", env=outside)["steps"] if step["source"] == "app"] == []


def test_squash_shortens_the_folder_and_changes_no_status(project: Home, outside: Environment) -> None:
    (project.root / "migrations" / "20240102120000_more.sql").write_text(THINGS.replace("things", "more"))
    project.ok("migrate", "up", env=outside)

    planned = project.data("migrate", "squash", "--to", "20240102120000", "--dry-run", env=outside)
    done = project.data("migrate", "squash", "--to", "20240102120000", env=outside)

    assert planned["text"] == done["text"]
    assert [path.name for path in (project.root / "migrations").iterdir()] == ["20240102120000_squashed.sql"]
    assert project.data("migrate", "status", "--check", env=outside)["pending"] == 0
    assert project.error("migrate", "squash", "--to", "20240102120000", "--source", "nobody", env=outside)[0] == 2


def test_on_the_embedded_stack_nothing_differs_from_the_shipped_models(running: Home) -> None:
    assert running.data("migrate", "verify")["findings"] == []
    assert running.data("migrate", "verify", "--from-files")["findings"] == []
    proposal = running.data("migrate", "diff", "--dry-run")

    assert proposal["differences"] == []
    assert all(name.startswith("partition public.events_") for name in proposal["kept"])


def test_a_dump_of_the_embedded_stack_is_loaded_by_its_owner(running: Home, tmp_path: Path) -> None:
    running.ok("psql", "--role", "superuser", "-c", "CREATE DATABASE another OWNER pgkeel_owner")
    there = running.ok("url", "--role", "owner", "--reveal").replace("/app?", "/another?")
    environment = {"THE_URL": there}
    running.ok("migrate", "dump", "-o", str(tmp_path / "dump.sql"))

    running.ok("migrate", "load", str(tmp_path / "dump.sql"), env=environment | {"PGKEEL_DATABASE__URL": "env:THE_URL"})

    assert running.data("migrate", "diff", "--url", "env:THE_URL", "--check", env=environment)["differences"] == []


def test_a_login_that_may_make_no_databases_has_a_scratch_server(
    project: Home, outside: Environment, make_cluster: MakeCluster
) -> None:
    with make_cluster() as cluster:
        with connect(cluster.superuser_url()) as superuser:
            superuser.execute("CREATE ROLE small LOGIN PASSWORD 'x'")
        cluster.create_database("small", owner="small")
        url = Url(user="small", password=Secret("x"), host="127.0.0.1", port=cluster.port, database="small")
        environment = outside | {"THE_URL": url.reveal()}
        project.ok("migrate", "up", env=environment)

        found = project.data("migrate", "verify", "--from-files", env=environment)

        assert (found["expected_from"], found["findings"]) == ("files", [])
        with connect(cluster.superuser_url()) as superuser:
            assert superuser.execute("SELECT FROM pg_database WHERE datname LIKE 'pgkeel_scratch%'").rowcount == 0
