"""Databases that live for one question: how does a schema look that these files, models or statements make?"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg

from pgkeel.core import clock
from pgkeel.core.ids import new_id
from pgkeel.core.url import Url
from pgkeel.migrations.errors import BadMigration
from pgkeel.migrations.lexer import LexError
from pgkeel.migrations.message import as_role
from pgkeel.migrations.options import Options
from pgkeel.migrations.position import refuse
from pgkeel.migrations.runner import up
from pgkeel.migrations.source import Source, text_of
from pgkeel.migrations.statement import split
from pgkeel.postgres import Connection, connect, describe, identifier, load

__all__ = ["Fill", "Scratch", "by_files", "by_script", "filled", "run_script", "scratch_on"]

Scratch = Callable[[], AbstractContextManager[Url]]
Fill = Callable[[Connection], None]
_PREFIX = "pgkeel_scratch_"
_ABANDONED = timedelta(hours=1)


@contextmanager
def scratch_on(server: Url) -> Iterator[Url]:
    """Yield an empty database of its own on a server; it is dropped afterwards, and so are those that killed runs left behind.

    Args:
        server: Any database there, as a login that may create databases.

    Raises:
        Unreachable: The server does not answer.
    """
    name = f"{_PREFIX}{new_id().hex}"
    with closing(connect(server, application="pgkeel scratch")) as connection:
        for row in load(__name__, "scratch_databases").rows(connection, prefix=_PREFIX):
            if _is_abandoned(row["datname"]):
                load(__name__, "drop_scratch").named(database=identifier(row["datname"])).run(connection)
        load(__name__, "create_scratch").named(database=identifier(name)).run(connection)
        try:
            yield server.with_database(name)
        finally:
            load(__name__, "drop_scratch").named(database=identifier(name)).run(connection)


def _is_abandoned(name: str) -> bool:
    milliseconds = UUID(name.removeprefix(_PREFIX)).int >> 80
    return clock.now().timestamp() - milliseconds / 1000 > _ABANDONED.total_seconds()


@contextmanager
def filled(scratch: Scratch, fill: Fill, *, like: Connection, schemas: Sequence[str] = ("public",)) -> Iterator[Connection]:
    """Yield a connection to a scratch database with what `fill` made, by the same role and under the same default rights.

    Args:
        scratch: Gives the database.
        fill: Makes the objects.
        like: The real database: its role, schemas and default privileges are taken over, since they decide who gets which right.
        schemas: Which schemas there are.
    """
    with scratch() as url, closing(connect(url, application="pgkeel scratch")) as connection:
        row = load(__name__, "setting").row(like, schemas=list(schemas)) or {}
        for role in row["roles"]:
            if load(__name__, "role_exists").row(connection, role=role) is None:
                load(__name__, "create_role").named(role=identifier(role)).run(connection)
        for text in row["statements"]:
            connection.execute(text.encode())
        names = {"database": identifier(connection.info.dbname), "role": identifier(row["role"])}
        load(__name__, "open_scratch").named(**names).run(connection)
        connection.execute(as_role(connection, row["role"]).encode())
        fill(connection)
        yield connection


def by_files(sources: Sequence[Source], *, to: Mapping[str, str] | None = None) -> Fill:
    """Return what applies migrations: all of the sources, or of each source those up to its version in `to`."""

    def fill(connection: Connection) -> None:
        for source in sources:
            if to is None or source.name in to:
                up(connection, [source], Options(to=to[source.name] if to else None))

    return fill


def by_script(path: Path) -> Fill:
    """Return what runs the statements of an SQL file; psql is not needed, and its commands are refused."""

    def fill(connection: Connection) -> None:
        run_script(connection, text_of(path), path.name)

    return fill


def run_script(connection: Connection, text: str, file_name: str) -> None:
    """Run statements one by one, in one transaction.

    Raises:
        BadMigration: One cannot be read, or the server refuses it; nothing was kept.
    """
    try:
        statements = list(split(text, 0, len(text)))
    except LexError as err:
        raise refuse(file_name, text, err.offset, err.message, hint="correct it; nothing was run") from err
    with connection.transaction():
        load(__name__, "script_settings").run(connection)
        for statement in statements:
            if statement.starts_with("BEGIN", "COMMIT", "START TRANSACTION"):
                continue
            try:
                connection.execute(statement.text.encode())
            except psycopg.OperationalError:
                raise
            except psycopg.Error as err:
                raise _refused(err, file_name, text, statement.offset) from err


def _refused(err: psycopg.Error, file_name: str, text: str, offset: int) -> BadMigration:
    position = int(err.diag.statement_position or 1) - 1
    return refuse(file_name, text, offset + position, describe(err), hint="correct it; nothing was kept")
