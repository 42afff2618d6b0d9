"""Real servers for every test: one of each wanted major, one empty database a test."""

import itertools
from collections.abc import Iterator

import pytest
from psycopg import sql

from pgkeel.core.url import Url
from pgkeel.postgres import connect, identifier

DEFAULT_MAJOR = "17"
_numbers = itertools.count()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--majors", default=DEFAULT_MAJOR, help="PostgreSQL majors for the tests marked `majors`: 15,16,17,18")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `majors` run once a major; the others on the default."""
    if "major" in metafunc.fixturenames and metafunc.definition.get_closest_marker("majors"):
        metafunc.parametrize("major", metafunc.config.getoption("--majors").split(","), scope="session")


@pytest.fixture(scope="session")
def major() -> str:
    return DEFAULT_MAJOR


@pytest.fixture
def superuser(major: str) -> Url:
    """The server's superuser, on the database `postgres`."""
    return Url.parse(f"postgresql://postgres@127.0.0.1:{15400 + int(major)}/postgres")  # INTERIM: the local room replaces this


@pytest.fixture
def empty_db(superuser: Url, worker_id: str) -> Iterator[Url]:
    """An empty database of its own for one test, as superuser."""
    name = f"t_{worker_id}_{next(_numbers)}_{__import__('os').getpid()}"
    with connect(superuser) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier(name)))
    yield superuser.with_database(name)
    with connect(superuser) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier(name)))
