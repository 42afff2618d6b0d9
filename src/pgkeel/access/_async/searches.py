"""Full-text search through the indexes that the model declares."""

from typing import TypeVar

from pgkeel.access import search_statements
from pgkeel.access._async.part import Part
from pgkeel.access.arguments import Condition, conditions_of, limit_of
from pgkeel.access.index_check import MissingIndex, has_index
from pgkeel.access.search_statements import Hit, declared
from pgkeel.core.log import get_logger
from pgkeel.core.strict import is_strict
from pgkeel.schema.search import Search

__all__ = ["Searches"]

R_co = TypeVar("R_co", covariant=True)
log = get_logger(__name__)


class Searches(Part[R_co]):
    """Full-text search: words, "quoted phrases", `or`, `-without`.

    The first search in a language looks whether its index is there: without it, it is refused in tests and warned about in
    production.
    """

    __slots__ = ()

    async def search(
        self, text: str, *conditions: Condition, language: str | None = None, prefix: bool = False, limit: int = 50
    ) -> list[R_co]:
        """Return rows whose text matches, best first.

        Args:
            text: What is looked for.
            conditions: What rows must meet besides.
            language: One that the model declares; the first when nothing is said.
            prefix: Take the last word as a beginning, for a search while one types; then all words must be there.
            limit: Rows at most.

        Raises:
            UsageError: The model declares no search, or none in this language.
            MissingIndex: In tests, when the declared index is not in the database.
        """
        wanted = await self._ready(language)
        query, values = search_statements.search(
            self._statements,
            wanted,
            text,
            limit_of(limit),
            conditions_of(conditions),
            prefix=prefix,
            with_deleted=self._with_deleted,
        )
        return await self._fetch(query, values)

    async def search_hits(
        self, text: str, *conditions: Condition, language: str | None = None, prefix: bool = False, limit: int = 50
    ) -> list[Hit[R_co]]:
        """Return what `search` does, each row with its rank and with the words in their surroundings, marked."""
        wanted = await self._ready(language)
        query, values = search_statements.hits(
            self._statements,
            wanted,
            text,
            limit_of(limit),
            conditions_of(conditions),
            prefix=prefix,
            with_deleted=self._with_deleted,
        )
        return await self._runner.all(query, values)

    async def _ready(self, language: str | None) -> Search:
        """Return the search, once its index has been seen; a unit of work is not held up by the look."""
        wanted, name = declared(self._shape, language)
        if name in self._statements.seen or not self._runner.is_autocommit:
            return wanted
        self._statements.seen.add(name)
        slot = await self._runner.slot(f"{self._shape.name}.search")
        try:
            found = await slot.connection.fetch_row(*has_index(name))
        finally:
            self._runner.pool.release(slot)
        if found is None or not next(iter(found)):
            self._complain(name)
        return wanted

    def _complain(self, name: str) -> None:
        missing = MissingIndex(
            f"{self._shape.name} is searched without its index {name}", hint="`pgkeel migrate diff` writes it; then `migrate up`"
        )
        if is_strict():
            self._statements.seen.discard(name)
            raise missing
        log.warning("access.search_without_index", model=self._shape.name, index=name)
