"""A folder of migration files and a connection to an empty database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pgkeel.core.url import Url
from pgkeel.migrations import Source
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
