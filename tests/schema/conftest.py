"""A database with the reference schema, made by its migration files or by its models."""

import hashlib
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
import sqlalchemy

from pgkeel.core.url import Url
from pgkeel.local import Cluster
from pgkeel.migrations import Options, Source, down, up
from pgkeel.postgres import Connection, connect
from pgkeel.schema import REFERENCE_MIGRATIONS
from pgkeel.schema.models import Base

REFERENCE = Source("reference", REFERENCE_MIGRATIONS)
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


def migrate(connection: Connection) -> None:
    """Apply the reference schema's migrations."""
    up(connection, [REFERENCE])


def revert(connection: Connection) -> None:
    """Revert them all, with what is in the tables."""
    down(connection, [REFERENCE], Options(allow_data_loss=True), count=len(list(REFERENCE_MIGRATIONS.glob("*.sql"))))


@pytest.fixture
def migrated(empty_db: Url) -> Iterator[Connection]:
    """A connection to a database that the migration files made."""
    with connect(empty_db) as connection:
        migrate(connection)
        yield connection


@pytest.fixture(scope="session")
def reference_url(cluster_of: Callable[[str], Cluster]) -> Callable[[str], Url]:
    """Gives the address of the one database a major in which tests of the reference schema open their transactions."""
    made: dict[str, Url] = {}

    def give(major: str) -> Url:
        if major not in made:
            cluster_of(major).create_database("reference")
            made[major] = cluster_of(major).superuser_url("reference")
            with connect(made[major]) as connection:
                migrate(connection)
        return made[major]

    return give


@pytest.fixture
def reference(reference_url: Callable[[str], Url], major: str) -> Iterator[Connection]:
    """A connection to the reference schema, inside a transaction that is rolled back after the test."""
    with connect(reference_url(major)) as connection, connection.transaction(force_rollback=True):
        yield connection


@pytest.fixture
def blank_db(cluster: Cluster, superuser: Url) -> Iterator[Url]:
    """An empty database that the tests of a major share, one after the other; quicker than one of its own."""
    with connect(superuser) as connection:
        known = connection.execute("SELECT FROM pg_database WHERE datname = 'blank'").fetchone() is not None
    if not known:
        cluster.create_database("blank")
    yield cluster.superuser_url("blank")
    with connect(cluster.superuser_url("blank")) as connection:
        for name in ("public", "shop"):
            connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE".encode())
        connection.execute("CREATE SCHEMA public")


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
    return insert(connection, "users", **sealed_address(email), **{"password_hash": ARGON2, **fields})


def sealed_address(email: str = "ada@example.org") -> dict[str, object]:
    """Return an address as the table holds it; what its bytes are, the server does not know."""
    return {"email": b"sealed " + email[:1].encode(), "email_bidx": hashlib.sha256(email.encode()).digest()}


def insert(connection: Connection, table: str, **fields: object) -> UUID:
    """Insert a row and return its id."""
    columns, values = ", ".join(fields), ", ".join(f"%({name})s" for name in fields)
    row = connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING id".encode(), fields).fetchone()
    assert row is not None
    found: UUID = row["id"]
    return found
