"""Hold up a statement that runs outside a transaction until its locks have been seen; without rows it is over at once."""

from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from pgkeel.core.url import Url
from pgkeel.migrations.impact.observe import relations
from pgkeel.migrations.statement import Statement
from pgkeel.migrations.units import is_concurrent
from pgkeel.postgres import Connection, connect, identifier, load

__all__ = ["Gate"]


class Gate:
    """A transaction with a lock on every table, ended as soon as the statement waits for it.

    A statement that works beside writers waits several times, for all transactions before it, and lets its locks go in
    between: for such a one the next transaction takes its lock before the last one ends. Use it with `with`, and call `look`
    again and again while the statement runs.

    Attributes:
        seen: Pairs of oid and mode that the statement had or wanted.
    """

    def __init__(self, url: Url, pid: int, statement: Statement) -> None:
        """Keep what is watched.

        Args:
            url: Of the scratch database, as a superuser.
            pid: Of the session that will run the statement.
            statement: What it will run.
        """
        self._url = url
        self._pid = pid
        self._is_beside = is_concurrent(statement)
        self._watch = connect(url, application="pgkeel trace")
        self._holder: Connection | None = None
        self.seen: frozenset[tuple[int, str]] = frozenset()

    def __enter__(self) -> Self:
        """Shut the gate for everything that wants more than to write rows."""
        self._holder = self._hold("SHARE UPDATE EXCLUSIVE")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the sessions."""
        if self._holder is not None:
            self._holder.close()
        self._watch.close()

    def look(self) -> None:
        """Note the locks of the statement; let it go on to its next wait once it waits."""
        rows = load(__name__, "locks").rows(self._watch, pid=self._pid)
        self.seen |= {(row["relation"], row["mode"]) for row in rows}
        if self._holder is not None and load(__name__, "is_waiting").scalar(self._watch, pid=self._pid):
            following = self._hold("ROW EXCLUSIVE") if self._is_beside else None
            self._holder.close()
            self._holder = following

    def _hold(self, mode: str) -> Connection | None:
        """Return a transaction that holds every table; None where there is none, or the statement itself stands in the way."""
        tables = [identifier(row["schema"], row["relation"]) for row in relations(self._watch).values() if row["kind"] in "rp"]
        if not tables:
            return None
        holder = connect(self._url, application="pgkeel trace", settings={"lock_timeout": "100ms"})
        holder.execute("BEGIN")
        try:
            load(__name__, "hold").named(tables=sql.SQL(", ").join(tables), mode=sql.SQL(mode)).run(holder)
        except psycopg.errors.LockNotAvailable:
            holder.close()
            return None
        return holder
