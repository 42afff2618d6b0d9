"""psycopg 3 for threads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import RawCursor
from psycopg.rows import TupleRow
from sqlalchemy.engine import Dialect

from pgkeel.access._drivers import psycopg_common as common
from pgkeel.access._drivers._sync.port import Pooler, Record
from pgkeel.access._drivers.diagnosis import Diagnosis
from pgkeel.access._drivers.feed import Feed
from pgkeel.access._drivers.network import refuse_settings
from pgkeel.core.errors import Unreachable
from pgkeel.core.url import Url

__all__ = ["PsycopgConnection", "PsycopgDriver"]


class PsycopgConnection:
    """One psycopg connection."""

    __slots__ = ("raw",)

    def __init__(self, raw: "psycopg.Connection[TupleRow]", *, has_names: bool = True) -> None:
        """Keep the driver's connection; where names get lost no door names a statement, SQLAlchemy's included."""
        self.raw = raw
        if not has_names:
            raw.prepare_threshold = None  # outweighs `prepare=True`

    def _run(self, sql: str, values: Sequence[object]) -> "RawCursor[TupleRow]":
        cursor = RawCursor(self.raw)
        cursor.format = psycopg.pq.Format.BINARY
        try:
            return cursor.execute(sql, values, prepare=True)
        except psycopg.errors.FeatureNotSupported as err:
            if err.sqlstate != common.STALE_PLAN or self.raw.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                raise
        self.raw.execute("DEALLOCATE ALL")
        return cursor.execute(sql, values, prepare=True)

    def fetch_row(self, sql: str, values: Sequence[object]) -> Record | None:
        """Return the first row, or None."""
        return self._run(sql, values).fetchone()

    def fetch(self, sql: str, values: Sequence[object]) -> Sequence[Record]:
        """Return all rows."""
        return self._run(sql, values).fetchall()

    def fetch_named(self, sql: str, values: Sequence[object]) -> tuple[tuple[str, ...], Sequence[Record]]:
        """Return column names and all rows."""
        cursor = self._run(sql, values)
        if cursor.description is None:
            return (), ()
        return tuple(column.name for column in cursor.description), cursor.fetchall()

    def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run it and return how many rows it touched."""
        if not values:
            return max(0, self.raw.execute(sql).rowcount)
        return max(0, self._run(sql, values).rowcount)

    def copy(self, table: Sequence[str], columns: Sequence[str], types: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        """Write rows by COPY, in binary where psycopg knows all types."""
        is_binary = all(map(common.has_type, types))
        feed = Feed(rows)
        with self.raw.cursor() as cursor:
            statement = common.copy_statement(table, columns, is_binary=is_binary)
            with feed.refusing(psycopg.DataError, (psycopg.Error,)), cursor.copy(statement) as copy:
                if is_binary:
                    copy.set_types(types)
                for row in feed:
                    copy.write_row(row)
            return cursor.rowcount

    def ping(self, seconds: float) -> bool:
        """Return whether the server answers in time."""
        return common.answers(self.raw.pgconn, seconds)

    def reset(self) -> None:
        """Leave nothing of a session behind."""
        self.raw.rollback()
        self.raw.set_autocommit(True)
        for statement in common.RESET:
            self.raw.execute(statement)

    def close(self) -> None:
        """Close; libpq says goodbye by itself."""
        self.raw.close()

    def abort(self) -> None:
        """Close at once."""
        self.raw.close()

    def is_open(self) -> bool:
        """Return whether it is not known to be of no use."""
        return not self.raw.closed

    def is_cut(self) -> bool:
        """Return whether the server has ended it while it lay unused."""
        return self.raw.closed or common.is_readable(self.raw.fileno())

    def begin_session(self, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002 - the port's signature
        """Leave autocommit and return the driver's own connection, which is what SQLAlchemy uses."""
        self.raw.autocommit = False
        return self.raw

    def begin(self) -> None:
        """Nothing to do: psycopg sends BEGIN with the first statement."""

    def end_session(self) -> None:
        """Return to autocommit."""
        if not self.raw.closed:
            self.raw.rollback()
            self.raw.autocommit = True


class PsycopgDriver:
    """Opens psycopg connections to one address."""

    name = "psycopg"
    errors = common.ERRORS

    def __init__(self, url: Url, settings: Mapping[str, str] | None = None) -> None:
        """Keep the address, and settings of every session."""
        self._url = url
        self._settings = dict(settings or {})
        self.is_pooled, self.has_names = False, True
        self.dialect = common.new_dialect()

    def connect(self, seconds: float) -> PsycopgConnection:
        """Open a connection.

        Raises:
            Unreachable: It cannot be done.
        """
        keywords: dict[str, Any] = common.connect_keywords(self._url, seconds, self._settings, is_pooled=self.is_pooled)
        try:
            raw = psycopg.connect(autocommit=True, **keywords)
            if self.is_pooled:
                raw.execute("SET timezone = 'UTC'")
        except common.ERRORS as err:
            if common.is_refused_option(err) and not self.is_pooled:
                self.is_pooled = True
                return self.connect(seconds)
            failure = Unreachable(
                f"cannot connect to {self._url}: {common.reason(err)}", hint="`pgkeel status` shows what is running"
            )
        else:
            return PsycopgConnection(raw, has_names=self.has_names)
        raise failure

    def recognise(self, pooler: Pooler, seconds: float) -> None:
        """Find out what stands before the server."""
        if pooler == "none":
            return
        self.has_names = False
        probe = self.connect(seconds)
        try:
            row = probe.fetch_row("SELECT pg_backend_pid()", ())
            number: object = row[:][0] if row else None
            self.is_pooled = self.is_pooled or pooler == "transaction" or probe.raw.info.backend_pid != number
            if self.is_pooled:
                refuse_settings(self._settings)
            self.has_names = not self.is_pooled or _gets_other_names(probe.raw)
        finally:
            probe.close()

    def diagnose(self, error: Exception) -> Diagnosis:
        """Return what the error says about itself."""
        return common.diagnose(error)


def _gets_other_names(raw: "psycopg.Connection[TupleRow]") -> bool:
    """Return whether a named statement has another name on the server: the pooler knows it, and gives it to any server."""
    raw.prepare_threshold = 5  # psycopg's own; with none it obeys no `prepare=True`
    raw.execute("BEGIN")
    try:
        raw.execute(common.PROBE, prepare=True)
    except psycopg.errors.DuplicatePreparedStatement:
        return False
    is_same = raw.execute(common.PROBE_NAMES, prepare=False).fetchone() is not None
    if is_same:
        raw.execute("DEALLOCATE ALL")
    raw.execute("COMMIT")
    return not is_same
