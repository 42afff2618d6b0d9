"""Tell caches that rows were changed behind their back: whoever writes and is no application with a bound cache."""

from pgkeel.postgres.connection import Connection
from pgkeel.postgres.query import load

__all__ = ["forget_cached"]


def forget_cached(connection: Connection, *tables: str) -> None:
    """Let no cache serve what it holds of these tables, once the transaction commits; of all tables where none is named.

    Args:
        connection: In the transaction of the write.
        tables: Their names, with or without `public`. A database that knows of no cache is told nothing.
    """
    if load(__name__, "has_cache_ledger").scalar(connection):
        load(__name__, "forget_cached").row(connection, tables=list(tables) or ["*"])
