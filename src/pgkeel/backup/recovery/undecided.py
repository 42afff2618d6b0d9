"""Transactions that were prepared at the point and neither committed nor rolled back: their locks outlive every session.

What waits for such a lock waits for ever, checks of a restored server among them. Whoever coordinates them knows how each ends.
"""

from psycopg import sql

from pgkeel.backup.recovery.side import SideServer
from pgkeel.core.errors import Refused
from pgkeel.core.telling import counted
from pgkeel.postgres import Row, connect, load

__all__ = ["Undecided", "require_decided", "roll_back_undecided"]

_SHOWN = 5


class Undecided(Refused):
    """Prepared transactions hold their locks, and nobody here knows how they end."""

    code = "undecided_transactions"


def require_decided(server: SideServer, *, after: str = "`pgkeel recover resume`") -> None:
    """Return when no prepared transaction is left on a restored server, which runs as a primary.

    Args:
        server: It.
        after: What to type when all are decided.

    Raises:
        Undecided: One is; the server goes on running, so that it can be decided.
    """
    found = _undecided(server)
    if found:
        named = ", ".join(f"{row['gid']} (in {row['database']})" for row in found[:_SHOWN])
        url = server.superuser_url(found[0]["database"]).without_password().reveal()
        raise Undecided(
            f"at that point {counted(len(found), 'prepared transaction')} had neither been committed nor rolled back: {named}",
            hint=f"COMMIT PREPARED or ROLLBACK PREPARED each of them: psql {url!r}; then {after}",
        )


def roll_back_undecided(server: SideServer) -> None:
    """End what is prepared on a copy that is thrown away."""
    for row in _undecided(server):
        with connect(server.superuser_url(row["database"]), application="pgkeel recover") as connection:
            load(__name__, "roll_back_prepared").named(gid=sql.Literal(row["gid"])).run(connection)


def _undecided(server: SideServer) -> list[Row]:
    with connect(server.superuser_url(), application="pgkeel recover") as connection:
        return load(__name__, "undecided").rows(connection)
