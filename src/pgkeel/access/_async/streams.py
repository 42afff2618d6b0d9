"""Rows without an end: read through a cursor of the server, a batch at a time."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from pgkeel.access import select_statements
from pgkeel.access._async.part import Part
from pgkeel.access._async.pool import Slot
from pgkeel.access.arguments import Condition, conditions_of, limit_of
from pgkeel.access.compiled import Compiled
from pgkeel.access.counting import counted
from pgkeel.access.ordering import OrderBy
from pgkeel.core.errors import UsageError

__all__ = ["Streams"]

R_co = TypeVar("R_co", covariant=True)


class Streams(Part[R_co]):
    """Reads of more rows than fit into memory."""

    __slots__ = ()

    @asynccontextmanager
    async def stream(
        self, *conditions: Condition, order_by: OrderBy | Sequence[OrderBy] = (), batch: int = 1_000
    ) -> AsyncIterator[AsyncIterator[R_co]]:
        """Read any number of rows as they were at one moment; a connection is held until the block ends.

            async with posts.stream(Post.status == "published") as rows:
                async for row in rows: …

        Args:
            conditions: What rows must meet.
            order_by: As in `filter`.
            batch: Rows in memory at once.

        Raises:
            UsageError: Inside of a unit of work.
        """
        if not self._runner.is_autocommit:
            raise UsageError("rows are streamed outside of a unit of work", hint="db.repository(…).stream(…)")
        orders, _ = self._ordering(order_by)
        query, values = select_statements.filtered(self._statements, orders, None, conditions_of(conditions), self._with_deleted)
        name = f"rows_{hashlib.sha256(query.sql.encode()).hexdigest()[:16]}"  # drivers remember what a text returns
        pool, slot = self._runner.pool, await self._runner.slot(query.doing)
        try:
            counted(query.sql, query.doing)
            await slot.connection.execute("BEGIN READ ONLY")
            await slot.connection.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {query.sql}", query.bind(values))
            yield self._fetched(slot, query, f"FETCH FORWARD {limit_of(batch)} FROM {name}")
            await slot.connection.execute("COMMIT")
        except pool.driver.errors as err:
            pool.discard(slot)
            failure = self._runner.failure(err, query.doing)
        except BaseException:
            pool.discard(slot)
            raise
        else:
            pool.release(slot)
            return
        raise failure

    async def _fetched(self, slot: Slot, query: Compiled[R_co], fetch: str) -> AsyncIterator[R_co]:
        while records := await slot.connection.fetch(fetch, ()):
            for row in query.read_all(records):
                yield row
