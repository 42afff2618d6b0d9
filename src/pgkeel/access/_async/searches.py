"""Full-text search."""

from typing import TypeVar

from pgkeel.access import select_statements
from pgkeel.access._async.part import Part
from pgkeel.access.arguments import Condition, conditions_of, limit_of

__all__ = ["Searches"]

R_co = TypeVar("R_co", covariant=True)


class Searches(Part[R_co]):
    """Full-text search."""

    __slots__ = ()

    async def search(self, text: str, *conditions: Condition, limit: int = 50) -> list[R_co]:
        """Return rows whose text matches, best first: words, "quoted phrases", `or`, `-without`.

        Raises:
            UsageError: The model has no full-text index.
        """
        query, values = select_statements.search(
            self._statements, text, limit_of(limit), conditions_of(conditions), self._with_deleted
        )
        return await self._runner.all(query, values)
