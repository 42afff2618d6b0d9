"""Writes of many rows at once."""

from collections.abc import Iterable
from typing import TypeVar

from pgkeel.access import bulk_statements
from pgkeel.access._async.part import Part
from pgkeel.access.arguments import Keyed, Row
from pgkeel.access.batch import batch_of
from pgkeel.access.compiled import Compiled

__all__ = ["Bulk"]

R_co = TypeVar("R_co", covariant=True)
K = TypeVar("K")


class Bulk(Part[R_co]):
    """Writes of many rows at once."""

    __slots__ = ()

    async def insert_many(self, rows: Iterable[Row]) -> int:
        """Insert rows by binary COPY, all or none, and return how many.

        Args:
            rows: Mappings or structs, read as a stream; all with the fields of the first.
        """
        batch = batch_of(self._shape, rows, self._runner.pool.driver.dialect)
        if batch is None:
            return 0
        return await self._copy(batch, f"{self._shape.name}.insert_many")

    async def insert_many_returning(self: "Bulk[Keyed[K]]", rows: Iterable[Row]) -> list[K]:
        """Insert rows in one statement over arrays, all or none, and return their ids in the order of the rows.

        Args:
            rows: Mappings or structs; all with the fields of the first.
        """
        batch = batch_of(self._shape, rows, self._runner.pool.driver.dialect)
        if batch is None:
            return []
        query: Compiled[K] = bulk_statements.insert_many(self._statements, batch.names)
        return await self._write_all(query, batch.arrays(), ())
