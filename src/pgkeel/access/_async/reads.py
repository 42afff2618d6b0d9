"""Rows by key and by condition."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from pgkeel.access import select_statements
from pgkeel.access._async.part import Part
from pgkeel.access.arguments import Condition, conditions_of, key_of, limit_of, single_key
from pgkeel.access.index_check import estimated_rows, planned
from pgkeel.access.ordering import OrderBy
from pgkeel.access.page import Total

__all__ = ["Reads"]

R_co = TypeVar("R_co", covariant=True)


class Reads(Part[R_co]):
    """Rows by key and by condition."""

    __slots__ = ()

    async def get(self, key: object, /) -> R_co | None:
        """Return the row with this id, or None. A composite key is a tuple."""
        alone = self._alone
        if alone is None or alone.busy:
            return await self._by_key(key_of(self._shape, key))
        alone.busy += 1  # as `Gatherer.read`, in one coroutine less: this is what a program does most
        try:
            return await self._runner.one(self._get or self._by_its_key(), (key,))
        finally:
            alone.busy -= 1

    async def get_one(self, key: object, /) -> R_co:
        """Return the row with this id.

        Raises:
            NotFound: There is none, or it is soft-deleted.
        """
        row = await self.get(key)
        if row is None:
            raise self._missing()
        return row

    async def get_many(self, keys: Iterable[object], /) -> list[R_co]:
        """Return the rows with these ids in one statement, in no particular order; ids without a row are left out."""
        single_key(self._shape)
        return await self._fetch(select_statements.get_many(self._statements, self._with_deleted), (list(keys),))

    async def filter(
        self, *conditions: Condition, order_by: OrderBy | Sequence[OrderBy] = (), limit: int | None = None
    ) -> list[R_co]:
        """Return the rows that meet all conditions (`Post.status == "draft"`), ordered, the primary key last."""
        orders, _ = self._ordering(order_by)
        query, values = select_statements.filtered(
            self._statements, orders, limit_of(limit), conditions_of(conditions), self._with_deleted
        )
        return await self._fetch(query, values)

    async def first(self, *conditions: Condition, order_by: OrderBy | Sequence[OrderBy] = ()) -> R_co | None:
        """Return the first row that meets all conditions, or None."""
        rows = await self.filter(*conditions, order_by=order_by, limit=1)
        return rows[0] if rows else None

    async def count(self, *conditions: Condition) -> int:
        """Return how many rows meet all conditions, counted exactly."""
        query, values = select_statements.count(self._statements, conditions_of(conditions), self._with_deleted)
        return await self._runner.one(query, values) or 0

    async def count_up_to(self, *conditions: Condition, cap: int = 10_000) -> Total:
        """Return how many rows meet all conditions: counted up to a cap, beyond it as the planner estimates.

        Args:
            conditions: What rows must meet.
            cap: How far counting goes; what it costs does not grow with the table.
        """
        wanted = conditions_of(conditions)
        query, values = select_statements.matching(self._statements, wanted, limit_of(cap) + 1, with_deleted=self._with_deleted)
        counted = await self._runner.one(query, values) or 0
        if counted <= cap:
            return Total(counted, is_exact=True)
        query, values = select_statements.matching(self._statements, wanted, None, with_deleted=self._with_deleted)
        plan = await self._runner.one(planned(query), values)
        return Total(max(counted, estimated_rows(plan or ())), is_exact=False)
