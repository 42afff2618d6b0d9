"""Pages by cursor."""

from collections.abc import Sequence
from typing import TypeVar

from pgkeel.access import select_statements
from pgkeel.access._async.part import Part
from pgkeel.access.arguments import Condition, conditions_of, limit_of
from pgkeel.access.cursor import CursorCodec
from pgkeel.access.ordering import OrderBy, reverse
from pgkeel.access.page import Page
from pgkeel.core.errors import UsageError

__all__ = ["Pages"]

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class Pages(Part[R_co]):
    """Pages of rows."""

    __slots__ = ()

    async def page(
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
        size = limit_of(limit)
        query, values = select_statements.page(
            self._statements, directed, is_null, size + 1, conditions_of(conditions), self._with_deleted, start
        )
        return _page(await self._runner.all(query, values), size, codec, is_back=before is not None, has_start=cursor is not None)


def _page(found: list[T], size: int, codec: CursorCodec, *, is_back: bool, has_start: bool) -> Page[T]:
    """Return a page from its rows in the direction they were read, and one more where there is one."""
    has_more = len(found) > size
    rows = found[:size]
    if is_back:
        rows.reverse()
    has_next, has_previous = (True, has_more) if is_back else (has_more, has_start)
    return Page(
        rows=tuple(rows),
        next=codec.write(rows[-1]) if rows and has_next else None,
        previous=codec.write(rows[0]) if rows and has_previous else None,
    )
