"""Connections and addresses by role: the one way in which commands, the agent and `up` itself reach the database."""

from typing import TYPE_CHECKING

from pgkeel.core.config import ZERO
from pgkeel.core.project import Project
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, load
from pgkeel.postgres import connect as open_connection

if TYPE_CHECKING:
    from pgkeel.security.names import RoleWord

__all__ = ["connect", "login_url"]

_OURS = frozenset({"owner", "monitor", "superuser"})


def connect(project: Project, role: "RoleWord" = "owner", *, application: str = "pgkeel") -> Connection:
    """Return a connection as a role; an `owner` session acts as `pgkeel_owner` from its first statement.

    Args:
        project: Whose database.
        role: `owner`, `app`, `readonly`, `monitor`, `backup` or `superuser` (these two on the socket). An external address has
            one login for all.
        application: `application_name`.

    Raises:
        Unreachable: The stack was never started, or the server does not answer.
    """
    login = login_url(project, role)
    url = login if project.is_external else _bound(login)
    connection = open_connection(url, application=application)
    if project.config.backup.rpo == ZERO and role in _OURS and not _is_received(project, connection):
        connection.close()
        return open_connection(_committing_locally(url), application=application)
    return connection


def login_url(project: Project, role: "RoleWord" = "owner", *, reveal: bool = False) -> Url:
    """Return the address at which a role logs in; it works as it is in libpq, psycopg and asyncpg.

    The password is not in it: libpq and asyncpg read `passfile`. `reveal` adds it, for a client that cannot.
    An external `[database] url` is returned as it stands, with the password that its reference holds, whatever the role.

    Raises:
        Unreachable: The embedded stack was never started.
        ConfigError: The external address is wrong.
    """
    if project.is_external:
        return project.external_url()
    from pgkeel.stack.embedded import embedded_url  # noqa: PLC0415 - an external database need not wait for its imports

    return embedded_url(project, role, reveal=reveal)


def _is_received(project: Project, connection: Connection) -> bool:
    """Return whether the WAL receiver runs; where it does not, our own statements must not wait, or nothing could start it."""
    return bool(load(__name__, "slot_is_active").scalar(connection, slot=project.config.backup.slot))


def _committing_locally(url: Url) -> Url:
    """Return an address whose commits wait for nobody but the server's own disk, even after the RESET ALL of a migration."""
    options = f"{url.options.get('options', '')} -c synchronous_commit=local".strip()
    return url.with_options(options=options)


def _bound(url: Url) -> Url:
    """Return an address of the embedded server with channel binding, which a man in the middle cannot pass on.

    Addresses that are printed go without: asyncpg has none and refuses them.
    """
    if url.host.startswith("/"):
        return url
    return url.with_options(channel_binding="require")
