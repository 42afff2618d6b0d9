"""Passwords of logins: hashed before they leave this process, and written only where they differ."""

from collections.abc import Mapping

from pgkeel.core.secret import Secret
from pgkeel.postgres import Connection, load
from pgkeel.security.roles.scram import is_verifier_of

__all__ = ["ensure_passwords"]


def ensure_passwords(superuser: Connection, passwords: Mapping[str, Secret]) -> list[str]:
    """Give each login the password that its file holds; return the logins whose password was another.

    libpq hashes it (SCRAM-SHA-256) before it leaves this process, and the session writes no log.

    Args:
        superuser: A connection to any database of the server; it is silent afterwards.
        passwords: Login → password.
    """
    load(__name__, "quiet_session").run(superuser)
    load(__name__, "scram_session").run(superuser)
    rows = load(__name__, "verifiers").rows(superuser, logins=list(passwords))
    stale = [row["rolname"] for row in rows if not is_verifier_of(row["rolpassword"], passwords[row["rolname"]])]
    for login in stale:
        superuser.pgconn.change_password(login.encode(), passwords[login].reveal().encode())
    return stale
