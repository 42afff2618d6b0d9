"""A folder of migration files and a connection to an empty database."""

import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pgkeel.core.url import Url
from pgkeel.local import Account, find_runtime
from pgkeel.migrations import Source
from pgkeel.migrations.dump import Dumper
from pgkeel.migrations.scratch import Scratch, scratch_on
from pgkeel.postgres import Connection, connect
from tests.migrations.folders import Tables, Write


@pytest.fixture
def app(tmp_path: Path) -> Source:
    """The team's source; its folder is there and empty."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    return Source("app", folder)


@pytest.fixture
def write(app: Source) -> Write:
    """Writes `NAME.sql` into the team's folder."""

    def write_file(name: str, text: str) -> Path:
        path = app.folder / f"{name}.sql"
        path.write_bytes(text.encode())
        return path

    return write_file


@pytest.fixture
def connection(empty_db: Url) -> Iterator[Connection]:
    with connect(empty_db) as opened:
        yield opened


@pytest.fixture
def tables(connection: Connection) -> Tables:
    """Names of the tables in `public`."""

    def names() -> set[str]:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return {row["tablename"] for row in rows}

    return names


@pytest.fixture
def pg_dump(empty_db: Url, account: Account, major: str) -> Dumper:
    """Runs pg_dump of the server's major on the test's database."""
    runtime = find_runtime(major, account=account)

    def run(arguments: object) -> str:
        argv = [str(runtime.program("pg_dump")), "-d", empty_db.reveal(), *arguments]  # type: ignore[misc]
        done = subprocess.run(argv, env={**os.environ, **runtime.environment}, capture_output=True, text=True, check=True)
        return done.stdout

    return run


@pytest.fixture
def scratch(superuser: Url) -> Scratch:
    """Gives empty databases beside the test's own."""
    return partial(scratch_on, superuser)
