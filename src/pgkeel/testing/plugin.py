"""The pytest plugin: entry point of `pgkeel.testing`.

Every run of pytest on the machine imports this module, so it imports nothing of pgkeel until a fixture is asked for
(also because coverage starts to measure after plugins are loaded). Each pytest-xdist worker has servers of its own: a role
or a setting that one test changes is not seen by a test of another worker.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pgkeel.core.cache_url import CacheUrl
    from pgkeel.core.project import Project
    from pgkeel.local import Cluster, Valkey
    from pgkeel.postgres import Connection
    from pgkeel.testing.databases import ScratchDatabase, Template

__all__ = ["pg_cluster", "pg_db", "pg_template", "pg_tx", "pg_url", "valkey_db", "valkey_server"]


@pytest.fixture(scope="session")
def pg_cluster(_pgkeel_project: "Project") -> "Iterator[Cluster]":
    """A PostgreSQL server for the session, of the major and account of the project's `pgkeel.toml`."""
    from pgkeel.local import choose_account, find_runtime  # noqa: PLC0415 - see the module's docstring
    from pgkeel.testing.servers import scratch_cluster  # noqa: PLC0415

    local = _pgkeel_project.config.local
    account = choose_account(local.run_as)
    with scratch_cluster(runtime=find_runtime(local.postgres, account=account), account=account) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def pg_template(pg_cluster: "Cluster", _pgkeel_project: "Project") -> "Template":
    """The database that `pg_db` copies: our roles, and the project's migrations applied."""
    from pgkeel.testing.databases import Template  # noqa: PLC0415 - see the module's docstring

    return Template.of(pg_cluster, _pgkeel_project)


@pytest.fixture
def pg_db(pg_template: "Template") -> "Iterator[ScratchDatabase]":
    """A database of its own for the test; `.url(role)` and `.name`."""
    from pgkeel.testing.databases import scratch_database  # noqa: PLC0415 - see the module's docstring

    with scratch_database(pg_template) as database:
        yield database


@pytest.fixture
def pg_url(pg_db: "ScratchDatabase") -> str:
    """The address of `pg_db` as text, with its password: for psycopg, asyncpg, libpq, SQLAlchemy's `creator`."""
    return pg_db.url("owner").reveal()


@pytest.fixture(scope="session")
def _pgkeel_shared_db(pg_template: "Template") -> "Iterator[ScratchDatabase]":
    """The one database in which `pg_tx` opens its transactions."""
    from pgkeel.testing.databases import scratch_database  # noqa: PLC0415 - see the module's docstring

    with scratch_database(pg_template) as database:
        yield database


@pytest.fixture
def pg_tx(_pgkeel_shared_db: "ScratchDatabase") -> "Iterator[Connection]":
    """A connection inside a transaction that is rolled back after the test: a millisecond instead of a copy."""
    import psycopg  # noqa: PLC0415 - see the module's docstring

    from pgkeel.postgres import connect  # noqa: PLC0415

    with connect(_pgkeel_shared_db.url("owner"), application="pg_tx") as connection, connection.transaction():
        yield connection
        raise psycopg.Rollback


@pytest.fixture(scope="session")
def valkey_server(_pgkeel_project: "Project") -> "Iterator[Valkey]":
    """A Valkey server for the session."""
    from pgkeel.local import choose_account  # noqa: PLC0415 - see the module's docstring
    from pgkeel.testing.servers import scratch_valkey  # noqa: PLC0415

    with scratch_valkey(account=choose_account(_pgkeel_project.config.local.run_as)) as valkey:
        yield valkey


@pytest.fixture
def valkey_db(valkey_server: "Valkey") -> "CacheUrl":
    """The address of an empty Valkey; it prints redacted, `.reveal()` is for the client."""
    valkey_server.ask("FLUSHALL")
    return valkey_server.url()


@pytest.fixture(scope="session")
def _pgkeel_project(pytestconfig: pytest.Config) -> "Project":
    """The project of pytest's root folder."""
    from pgkeel.core.project import load  # noqa: PLC0415 - see the module's docstring

    return load(pytestconfig.rootpath)
