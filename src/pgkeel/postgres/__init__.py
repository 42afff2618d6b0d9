"""The only door to libpq: connections, SQL files, what a server can do, and what its catalog holds."""

from pgkeel.postgres.connection import Connection, Row, connect, describe, identifier
from pgkeel.postgres.query import Query, load
from pgkeel.postgres.server import Server, server_of

__all__ = ["Connection", "Query", "Row", "Server", "connect", "describe", "identifier", "load", "server_of"]
