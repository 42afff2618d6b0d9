"""Roles and rights, first form: who owns, who writes, who reads, who watches; PUBLIC gets nothing.

Everything here may be run again at any time and changes nothing that is already so. The right model is `sql/rights.sql`.
"""

from collections.abc import Mapping

from pgkeel.core.secret import Secret
from pgkeel.postgres import Connection, identifier, load, server_of
from pgkeel.security.scram import is_verifier_of

__all__ = ["ensure_passwords", "ensure_rights", "ensure_roles"]


def ensure_roles(superuser: Connection) -> None:
    """Make the server's roles and their memberships where they are missing.

    Args:
        superuser: A connection to any database of the server.
    """
    load(__name__, "roles").run(superuser)
    load(__name__, "members" if server_of(superuser).has_grant_options else "members_15").run(superuser)
    load(__name__, "closed_databases").run(superuser)


def ensure_passwords(superuser: Connection, passwords: Mapping[str, Secret]) -> list[str]:
    """Give each login the password that its file holds; return the logins whose password was another.

    libpq hashes it (SCRAM-SHA-256) before it leaves this process, and the session writes no log.

    Args:
        superuser: A connection to any database of the server; it is silent afterwards.
        passwords: Login → password.
    """
    load(__name__, "quiet_session").run(superuser)
    rows = load(__name__, "verifiers").rows(superuser, logins=list(passwords))
    stale = [row["rolname"] for row in rows if not is_verifier_of(row["rolpassword"], passwords[row["rolname"]])]
    for login in stale:
        superuser.pgconn.change_password(login.encode(), passwords[login].reveal().encode())
    return stale


def ensure_rights(superuser: Connection) -> None:
    """Set the rights and default privileges of the connected database, which `pgkeel_owner` owns."""
    load(__name__, "rights").named(database=identifier(superuser.info.dbname)).run(superuser)
