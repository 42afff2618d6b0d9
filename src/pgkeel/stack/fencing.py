"""Step 1 of a recovery: the application is put out of its database and cannot come back; undone by one number."""

from psycopg import sql

from pgkeel.core.errors import Unreachable
from pgkeel.core.project import Project
from pgkeel.core.telling import Report, counted
from pgkeel.postgres import Connection, identifier, load
from pgkeel.stack.connection import connect

__all__ = ["connections_of", "open_again", "shut"]

_APPLICATION = "pgkeel recover"


def connections_of(project: Project) -> int | None:
    """Return how many connections the real database allows (-1: any number), or None where its server does not answer."""
    try:
        with connect(project, "superuser", application=_APPLICATION) as connection:
            row = load(__name__, "connections").row(connection, name=project.config.database.name)
    except Unreachable:
        return None
    return None if row is None else int(row["connections"])


def shut(project: Project, report: Report) -> None:
    """Let nobody but a superuser connect to the real database, and end the sessions that are there; safe to repeat.

    Every login loses CONNECT by the database's limit of connections and not by REVOKE: whatever grants somebody gave and
    to whom, one number takes it from all and gives it back exactly as it was. A server that is gone shuts everybody out itself.
    """
    name = project.config.database.name
    try:
        with connect(project, "superuser", application=_APPLICATION) as connection:
            if load(__name__, "connections").row(connection, name=name) is None:
                return
            _allow(connection, name, 0)
            report(f"ending {counted(int(load(__name__, 'end_connections').scalar(connection, name=name)), 'connection')}")
    except Unreachable:
        return


def open_again(connection: Connection, name: str, connections: int | None) -> None:
    """Let the application in again, where a database is shut: with as many connections as it had, or any number."""
    row = load(__name__, "connections").row(connection, name=name)
    if row is not None and row["connections"] == 0 and connections is not None:
        _allow(connection, name, connections)


def _allow(connection: Connection, name: str, connections: int) -> None:
    load(__name__, "allow_connections").named(name=identifier(name), number=sql.Literal(connections)).run(connection)
