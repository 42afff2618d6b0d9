"""`synchronous_standby_names` has one owner: it composes what several wish for, so that none undoes another's promise."""

from collections.abc import Mapping, Sequence

from psycopg import sql

from pgkeel.backup.receiving import APPLICATION
from pgkeel.postgres import Connection, load

__all__ = ["compose", "lift", "names_of", "streams", "wait_for"]


def compose(wishes: Mapping[str, Sequence[str]]) -> str:
    """Return the setting under which a commit waits for every standby that somebody wishes to wait for.

    PostgreSQL cannot say "this one, and any of those", so all are waited for.

    Args:
        wishes: Who wishes → application names of standbys; none is no wish.
    """
    names = list(dict.fromkeys(name for wished in wishes.values() for name in wished))
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    return f"FIRST {len(names)} ({quoted})" if names else ""


def names_of(connection: Connection) -> str:
    """Return for whom commits wait now."""
    return str(load(__name__, "synchronous_names").scalar(connection))


def streams(connection: Connection) -> bool:
    """Return whether the receiver is connected and has caught up."""
    return bool(load(__name__, "receiver_streams").scalar(connection, application=APPLICATION))


def wait_for(connection: Connection, wishes: Mapping[str, Sequence[str]]) -> bool:
    """Make commits wait as wished, and return whether that changed anything; a superuser's connection.

    It is kept by the server (`ALTER SYSTEM`), which needs no commit, so it works while commits wait.
    """
    wanted = compose(wishes)
    if names_of(connection) == wanted:
        return False
    load(__name__, "set_synchronous_names").named(names=sql.Literal(wanted)).run(connection)
    load(__name__, "reload").row(connection)
    return True


def lift(connection: Connection) -> bool:
    """Let commits wait for nobody, and return whether they did; a superuser's connection."""
    return wait_for(connection, {})
