"""A copy of a database's schema in a scratch database: the same owners, rights and ledger, and none of its rows."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import msgspec

from pgkeel.core.url import Url
from pgkeel.migrations import ledger
from pgkeel.migrations.dump import Dumper, portable
from pgkeel.migrations.message import as_role
from pgkeel.migrations.scratch import Scratch, run_script
from pgkeel.migrations.statement import split
from pgkeel.postgres import Connection, Row, connect, identifier, load

__all__ = ["Clone", "Original", "cloned", "read_original"]

_NO_DATA = ("--schema-only", "--no-tablespaces", "--no-publications", "--no-subscriptions")
_SESSION = ("SET", "SELECT PG_CATALOG SET_CONFIG")


class Original(msgspec.Struct, frozen=True):
    """What a copy is made of.

    Attributes:
        script: The SQL that makes the schema and the ledger's rows.
        roles: Names, and who is a superuser and a member of what.
        role: Who runs migrations there.
    """

    script: str
    roles: tuple[Row, ...]
    role: str


class Clone(msgspec.Struct, frozen=True):
    """A copy.

    Attributes:
        connection: Acts as the original's role.
        url: As a superuser.
    """

    connection: Connection
    url: Url
    role: str


def read_original(connection: Connection, run_pg_dump: Dumper, *, with_ledger: bool = True) -> Original:
    """Return what a copy needs; nothing is written and no lock stronger than a reader's is taken.

    Args:
        connection: To the database, as the role that runs migrations.
        run_pg_dump: Runs pg_dump on it with arguments, and returns what it printed.
        with_ledger: Whether the copy knows which migrations are applied.
    """
    text = run_pg_dump(_NO_DATA)
    kept = [portable(one) for one in split(text, 0, len(text)) if not one.starts_with(*_SESSION)]
    has_ledger = with_ledger and ledger.exists(connection)
    rows = load(__name__, "dumped_rows").rows(connection) if has_ledger else []
    backfills = load(__name__, "dumped_backfills").rows(connection) if has_ledger else []
    script = "\n".join(f"{one};" for one in (*kept, *(row["statement"] for row in (*rows, *backfills))))
    roles = tuple(load(__name__, "roles").rows(connection))
    return Original(script, roles, str(load(__name__, "current_role").scalar(connection)))


@contextmanager
def cloned(scratch: Scratch, original: Original) -> Iterator[Clone]:
    """Yield a copy that is gone after the block.

    Args:
        scratch: Gives an empty database on a server that nobody uses, as a superuser: roles are made there.
        original: What is copied.

    Raises:
        BadMigration: The server cannot make an object of the original, an extension for example.
    """
    with scratch() as url, closing(connect(url, application="pgkeel scratch")) as connection:
        _make_roles(connection, original)
        run_script(connection, original.script, "the copy of the schema")
        names = {"database": identifier(connection.info.dbname), "role": identifier(original.role)}
        load(__name__, "open_scratch").named(**names).run(connection)
        connection.execute(as_role(connection, original.role).encode())
        yield Clone(connection, url, original.role)


def _make_roles(connection: Connection, original: Original) -> None:
    for row in original.roles:
        if load(__name__, "role_exists").row(connection, role=row["name"]) is None:
            query = load(__name__, "create_superuser" if row["is_superuser"] else "create_role")
            query.named(role=identifier(row["name"])).run(connection)
    for row in original.roles:
        for group in row["groups"]:
            load(__name__, "grant_role").named(role=identifier(group), member=identifier(row["name"])).run(connection)
