"""What the server on the other end is and can do, for majors 15 to 18."""

import msgspec

from pgkeel.core.errors import KeelError
from pgkeel.postgres.connection import Connection
from pgkeel.postgres.query import load

__all__ = ["MAJORS", "NEWEST_MINORS", "Server", "UnsupportedServer", "server_of"]

MAJORS = (15, 16, 17, 18)
NEWEST_MINORS = {15: 20, 16: 15, 17: 11, 18: 6}  # the newest that were seen when this pgkeel was released; see security.releases


class UnsupportedServer(KeelError):
    """This PostgreSQL major is not supported."""

    code = "unsupported_server"
    exit_code = 2


class Server(msgspec.Struct, frozen=True):
    """A server's version and what follows from it.

    Attributes:
        number: `server_version_num`, for example 170011.
        in_recovery: Whether it is a standby.
    """

    number: int
    in_recovery: bool

    @property
    def major(self) -> int:
        """The major version, for example 17."""
        return self.number // 10000

    @property
    def version(self) -> str:
        """The version as people write it, for example 17.11."""
        return f"{self.major}.{self.number % 10000}"

    @property
    def is_outdated(self) -> bool:
        """Whether a newer minor of its major was known when this pgkeel was released."""
        return self.number % 10000 < NEWEST_MINORS.get(self.major, 0)

    @property
    def has_wal_summaries(self) -> bool:
        """Whether `summarize_wal` exists (native incremental backups)."""
        return self.major >= 17

    @property
    def has_builtin_locale(self) -> bool:
        """Whether the builtin `C.UTF-8` locale provider exists."""
        return self.major >= 17

    @property
    def has_grant_options(self) -> bool:
        """Whether `GRANT role … WITH INHERIT, SET` exists."""
        return self.major >= 16

    @property
    def has_transaction_timeout(self) -> bool:
        """Whether `transaction_timeout` exists."""
        return self.major >= 17


def server_of(connection: Connection) -> Server:
    """Return what the connected server is.

    Raises:
        UnsupportedServer: Its major is older than 15.
    """
    row = load(__name__, "server").row(connection)
    server = msgspec.convert(row, Server)
    if server.major < MAJORS[0]:
        raise UnsupportedServer(
            f"PostgreSQL {server.version} is older than {MAJORS[0]}", hint="upgrade the server to 15 or newer"
        )
    return server
