# Generated from pgkeel/access/_async/loader.py by tools/unasync.py; do not edit.
"""Many rows into a table by COPY, past those that it refuses.

A chunk goes in under a savepoint. When a row is refused, the server mostly says which: the rows before it go in again, then
the rest. Where it does not say (foreign keys are looked at when all rows are in), the chunk is halved until the row is alone.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from pgkeel.access._drivers._sync.port import Connection
from pgkeel.access._sync.held import held, translated
from pgkeel.access._sync.runner import Runner
from pgkeel.access.batch import Batch
from pgkeel.access.errors import AccessError, Constraint, InvalidValue
from pgkeel.access.outcome import Inserted, RefusedRow
from pgkeel.access.shape import Shape
from pgkeel.core.errors import UsageError

__all__ = ["Loader"]

_CHUNK = 5_000
Chunk = tuple[Sequence[Sequence[object]], int]
"""Rows, and the place of the first of them among all."""


class Loader:
    """Loads rows into the table of one model."""

    def __init__(self, runner: Runner, shape: Shape[Any]) -> None:
        """Prepare."""
        self._runner = runner
        self._shape = shape
        self._doing = f"{shape.name}.insert_valid"
        self._refused: list[RefusedRow] = []

    def load(self, batch: Batch) -> Inserted:
        """Insert what the table takes, in one transaction.

        Raises:
            UsageError: Inside of a unit of work.
            AccessError: The server refused something else than a row.
        """
        if not self._runner.is_autocommit:
            raise UsageError(
                "rows are reported one by one outside of a unit of work only", hint="db.repository(…).insert_valid(…)"
            )
        with held(self._runner, self._doing) as connection:
            count = self._load_all(connection, batch)
        return Inserted(count, tuple(sorted(self._refused, key=lambda refused: refused.row)))

    def _load_all(self, connection: Connection, batch: Batch) -> int:
        records, count, first = batch.records(), 0, 0
        self._say(connection, "BEGIN")
        while chunk := list(islice(records, _CHUNK)):
            count += self._load_chunk(connection, batch, (chunk, first))
            first += len(chunk)
        self._say(connection, "COMMIT")
        return count

    def _say(self, connection: Connection, statement: str) -> None:
        with translated(self._runner, self._doing):
            connection.execute(statement)

    def _load_chunk(self, connection: Connection, batch: Batch, chunk: Chunk) -> int:
        """Return how many rows of the chunk went in."""
        waiting, count = [chunk], 0
        while waiting:
            rows, first = waiting.pop()
            failure = self._refusal(connection, batch, rows)
            if failure is None:
                count += len(rows)
            else:
                waiting += self._rest(rows, first, failure)
        return count

    def _refusal(self, connection: Connection, batch: Batch, rows: Sequence[Sequence[object]]) -> AccessError | None:
        """Put rows in under a savepoint; return why they were refused, or None."""
        self._say(connection, "SAVEPOINT rows")
        sent: list[None] = []
        try:
            connection.copy(batch.table, batch.columns, batch.types, _noted(rows, sent))
        except self._runner.pool.driver.errors as err:
            failure = self._runner.failure(err, self._doing)
        else:
            self._say(connection, "RELEASE SAVEPOINT rows")
            return None
        if not isinstance(failure, (Constraint, InvalidValue)):
            raise failure
        self._say(connection, "ROLLBACK TO SAVEPOINT rows")
        if isinstance(failure, InvalidValue) and failure.row is None:
            failure.row = len(sent) - 1
        return failure

    def _rest(self, rows: Sequence[Sequence[object]], first: int, failure: AccessError) -> Iterable[Chunk]:
        """Return what is left to try, the last part first; note the refused row when it is known."""
        place = 0 if len(rows) == 1 else failure.row
        if place is None:
            half = len(rows) // 2
            return [(rows[half:], first + half), (rows[:half], first)]
        constraint: str = getattr(failure, "constraint", "")
        columns: tuple[str, ...] = getattr(failure, "columns", ()) or self._shape.columns_of(constraint)
        self._refused.append(RefusedRow(first + place, failure.code, constraint, columns))
        parts = [(rows[place + 1 :], first + place + 1), (rows[:place], first)]
        return [part for part in parts if part[0]]


def _noted(rows: Iterable[Sequence[object]], sent: list[None]) -> Iterable[Sequence[object]]:
    for row in rows:
        sent.append(None)
        yield row
