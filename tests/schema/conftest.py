"""A database with the reference schema, made by its migration files or by its models."""

from collections.abc import Iterator
from uuid import UUID

import pytest
import sqlalchemy

from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect
from pgkeel.schema import REFERENCE_MIGRATIONS
from pgkeel.schema.models import Base

ARGON2 = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b6l6ZpN9Hg4bWuKLqKVjJdZ0Cw"


def engine_of(url: Url) -> sqlalchemy.Engine:
    """An engine of the ORM on a test's database."""
    address = sqlalchemy.URL.create(
        "postgresql+psycopg",
        url.user,
        None,
        url.host,
        url.port,
        url.database,
        {key: str(value) for key, value in url.options.items()},
    )
    return sqlalchemy.create_engine(address, connect_args=dict(url.keywords()), poolclass=sqlalchemy.NullPool)


def run_section(connection: Connection, section: str) -> None:
    """Run all Up sections in order, or all Down sections in reverse."""
    files = sorted(REFERENCE_MIGRATIONS.glob("*.sql"), reverse=section == "Down")
    for file in files:
        up, _, down = file.read_text(encoding="utf-8").partition("-- Down Migration")
        connection.execute((down if section == "Down" else up).encode())


@pytest.fixture
def migrated(empty_db: Url) -> Iterator[Connection]:
    """A connection to a database that the migration files made."""
    with connect(empty_db) as connection:
        run_section(connection, "Up")
        yield connection


@pytest.fixture
def engine(empty_db: Url) -> Iterator[sqlalchemy.Engine]:
    """The ORM's engine on an empty database."""
    engine = engine_of(empty_db)
    yield engine
    engine.dispose()


@pytest.fixture
def created(empty_db: Url, engine: sqlalchemy.Engine) -> Iterator[Connection]:
    """A connection to a database that `create_all` of the models made."""
    Base.metadata.create_all(engine)
    with connect(empty_db) as connection:
        yield connection


def new_user(connection: Connection, email: str = "ada@example.org", **fields: object) -> UUID:
    """Insert a user and return its id."""
    return insert(connection, "users", email=email, **{"password_hash": ARGON2, **fields})


def insert(connection: Connection, table: str, **fields: object) -> UUID:
    """Insert a row and return its id."""
    columns, values = ", ".join(fields), ", ".join(f"%({name})s" for name in fields)
    row = connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING id".encode(), fields).fetchone()
    assert row is not None
    found: UUID = row["id"]
    return found
