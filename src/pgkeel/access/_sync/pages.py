# Generated from pgkeel/access/_async/pages.py by tools/unasync.py; do not edit.
"""Pages: by cursor, or by number for those who must; and which index gives an ordering."""

from collections.abc import Sequence
from typing import TypeVar

from pgkeel.access import select_statements
from pgkeel.access._sync.reads import Reads
from pgkeel.access.arguments import Condition, conditions_of, limit_of
from pgkeel.access.compiled import Compiled
from pgkeel.access.cursor import CursorCodec
from pgkeel.access.index_check import PROBE, OrderingIndex, ordering_index, planned
from pgkeel.access.ordering import OrderBy, reverse
from pgkeel.access.page import OffsetPage, Page
from pgkeel.core.errors import UsageError

__all__ = ["Pages"]

R_co = TypeVar("R_co", covariant=True)
_DEEPEST = 100_000


class Pages(Reads[R_co]):
    """Pages of rows."""

    __slots__ = ()

    def page(
        self,
        *conditions: Condition,
        order_by: OrderBy | Sequence[OrderBy] = (),
        limit: int = 50,
        after: str | None = None,
        before: str | None = None,
    ) -> Page[R_co]:
        """Return a page of rows from behind (`after`) or before (`before`) a cursor, in any mix of directions.

        A page starts at a row's place in the order, not at a number: rows that come and go elsewhere do not move it.

        Args:
            conditions: What rows must meet.
            order_by: Columns, with `.desc()` and `.nulls_first()` as needed, or names; the primary key is appended.
            limit: Rows at most.
            after: `Page.next` of the page before this one.
            before: `Page.previous` of the page behind this one.

        Raises:
            InvalidCursor: The cursor was altered, or comes from another model, ordering or key.
        """
        if after is not None and before is not None:
            raise UsageError("a page is after or before a cursor, not both", hint="pass one of them")
        orders, codec = self._ordering(order_by)
        cursor = after if before is None else before
        start = () if cursor is None else codec.read(cursor)
        is_null = None if cursor is None else tuple(value is None for value in start)
        directed = orders if before is None else reverse(orders)
        size: int = limit_of(limit)
        query, values = select_statements.page(
            self._statements, directed, is_null, size + 1, conditions_of(conditions), self._with_deleted, start
        )
        rows = self._fetch(query, values)
        return self._page(rows, size, codec, is_back=before is not None, has_start=cursor is not None)

    def offset_page(
        self,
        *conditions: Condition,
        order_by: OrderBy | Sequence[OrderBy] = (),
        number: int = 1,
        size: int = 50,
        cap: int = 10_000,
    ) -> OffsetPage[R_co]:
        """Return a page by its number, for those who must show "page 7 of 12".

        The server reads all rows before it, and rows that come and go move it: prefer `page`.

        Args:
            conditions: What rows must meet.
            order_by: As in `page`.
            number: The page, from 1.
            size: Rows of a page.
            cap: How far rows are counted exactly, as in `count_up_to`.

        Raises:
            UsageError: The page begins behind the 100,000th row.
        """
        skipped = (limit_of(number) - 1) * limit_of(size)
        if skipped > _DEEPEST:
            raise UsageError(f"a page by number begins at most {_DEEPEST:,} rows deep", hint="use page(after=…)")
        orders, _ = self._ordering(order_by)
        wanted = conditions_of(conditions)
        query, values = select_statements.offset_page(
            self._statements, orders, (size, skipped), wanted, with_deleted=self._with_deleted
        )
        rows = self._fetch(query, values)
        total = self.count_up_to(*wanted, cap=cap)
        return OffsetPage(rows=tuple(rows), number=number, size=size, total=total)

    def ordering_index(self, *conditions: Condition, order_by: OrderBy | Sequence[OrderBy] = ()) -> OrderingIndex:
        """Return which index gives pages in this order without a sort, however large the table is; false when none does.

        Meant for tests: `assert posts.ordering_index(Post.user_id == author, order_by=Post.created_at.desc())`.

        Raises:
            UsageError: Inside of a unit of work.
        """
        if not self._runner.is_autocommit:
            raise UsageError("an ordering is looked at outside of a unit of work", hint="db.repository(…).ordering_index(…)")
        orders, _ = self._ordering(order_by)
        query, values = select_statements.page(
            self._statements, orders, None, 51, conditions_of(conditions), self._with_deleted, ()
        )
        return ordering_index(self._shape, orders, self._probed(planned(query), values))

    def _probed(self, query: Compiled[list[dict[str, object]]], values: Sequence[object]) -> list[dict[str, object]]:
        """Return a plan that avoids sorting and sequential scans wherever it can."""
        pool, slot = self._runner.pool, self._runner.slot(query.doing)
        try:
            for statement in PROBE:
                slot.connection.execute(statement)
            record = slot.connection.fetch_row(query.sql, query.bind(values))
            slot.connection.execute("ROLLBACK")
        except pool.driver.errors as err:
            pool.discard(slot)
            failure = self._runner.failure(err, query.doing)
        except BaseException:
            pool.discard(slot)
            raise
        else:
            pool.release(slot)
            return [] if record is None else query.read(record)
        raise failure

    def _page(self, found: list[R_co], size: int, codec: CursorCodec, *, is_back: bool, has_start: bool) -> Page[R_co]:
        """Return a page from its rows in the direction they were read, and one more where there is one."""
        has_more = len(found) > size
        rows = found[:size]
        if is_back:
            rows.reverse()
        has_next, has_previous = (True, has_more) if is_back else (has_more, has_start)
        return Page(
            rows=tuple(rows),
            next=codec.write(self._own_row(rows[-1])) if rows and has_next else None,
            previous=codec.write(self._own_row(rows[0])) if rows and has_previous else None,
        )
