# Generated from pgkeel/access/_async/streams.py by tools/unasync.py; do not edit.
"""Rows without an end: read through a cursor of the server, a batch at a time."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from pgkeel.access import select_statements
from pgkeel.access._drivers._sync.port import Connection, Record
from pgkeel.access._sync.held import held, translated
from pgkeel.access._sync.part import Part
from pgkeel.access._sync.runner import Runner
from pgkeel.access.arguments import Condition, conditions_of, limit_of
from pgkeel.access.counting import counted
from pgkeel.access.ordering import OrderBy
from pgkeel.core.errors import UsageError

__all__ = ["Streams", "cursor"]

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
Read = Callable[[Sequence[str], Sequence[Record]], Sequence[T]]


class Streams(Part[R_co]):
    """Reads of more rows than fit into memory."""

    __slots__ = ()

    @contextmanager
    def stream(
        self, *conditions: Condition, order_by: OrderBy | Sequence[OrderBy] = (), batch: int = 1_000
    ) -> Iterator[Iterator[R_co]]:
        """Read any number of rows as they were at one moment; a connection is held until the block ends.

            with posts.stream(Post.status == "published") as rows:
                for row in rows: …

        Args:
            conditions: What rows must meet.
            order_by: As in `filter`.
            batch: Rows in memory at once.

        Raises:
            UsageError: Inside of a unit of work.
        """
        orders, _ = self._ordering(order_by)
        query, values = select_statements.filtered(self._statements, orders, None, conditions_of(conditions), self._with_deleted)
        said = (query.sql, query.bind(values))
        with cursor(self._runner, query.doing, said, batch, lambda _, records: query.read_all(records)) as rows:
            yield rows


@contextmanager
def cursor(runner: Runner, doing: str, said: tuple[str, Sequence[object]], batch: int, read: Read[T]) -> Iterator[Iterator[T]]:
    """Read rows through a cursor of the server, outside of a unit of work.

    Args:
        runner: Where.
        doing: What it is for, for errors.
        said: The statement and its values.
        batch: Rows in memory at once.
        read: Makes rows of column names and records.

    Raises:
        UsageError: Inside of a unit of work.
    """
    if not runner.is_autocommit:
        raise UsageError("rows are streamed outside of a unit of work", hint="db.repository(…).stream(…)")
    sql, values = said
    name = f"rows_{hashlib.sha256(sql.encode()).hexdigest()[:16]}"  # drivers remember what a text returns
    with held(runner, doing) as connection:
        with translated(runner, doing):
            counted(sql, doing)
            connection.execute("BEGIN READ ONLY")
            connection.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", values)
        yield _fetched(runner, connection, f"FETCH FORWARD {limit_of(batch)} FROM {name}", doing, read)
        with translated(runner, doing):
            connection.execute("COMMIT")


def _fetched(runner: Runner, connection: Connection, fetch: str, doing: str, read: Read[T]) -> Iterator[T]:
    while True:
        with translated(runner, doing):
            names, records = connection.fetch_named(fetch, ())
        if not records:
            return
        for row in read(names, records):
            yield row
