# Generated from pgkeel/access/_async/included.py by tools/unasync.py; do not edit.
"""Rows together with the rows that they are related to, for a page and not for each row: no N+1."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, TypeVarTuple, cast, overload

from sqlalchemy.orm import Mapped

from pgkeel.access import select_statements
from pgkeel.access._sync.cached import through_cache
from pgkeel.access._sync.pages import Pages
from pgkeel.access._sync.runner import Runner
from pgkeel.access.compiled import Compiled
from pgkeel.access.joins import JoinedStatements, Relation, related, relation_of
from pgkeel.access.statements import Statements
from pgkeel.core.secret import Secret
from pgkeel.schema import HasRow

if TYPE_CHECKING:
    from pgkeel.cache.names import Tag

__all__ = ["Included"]

R = TypeVar("R")
I = TypeVar("I")  # noqa: E741 - what is included
Ts = TypeVarTuple("Ts")


class Included(Pages[tuple[R, *Ts]], Generic[R, *Ts]):
    """Reads a model's rows with their relations: every row is a tuple of the row and what was included, in that order.

    One related row comes by a join (None where there is none; a soft-deleted one is shown: it is still what the row points
    to). Many come as a list, by one more statement for all rows of an answer, soft-deleted ones left out.
    """

    __slots__ = ("_own", "_relations")

    def __init__(
        self,
        runner: Runner,
        own: Statements[R],
        secret: Secret,
        relations: Sequence[Relation],
        *,
        with_deleted: bool,
    ) -> None:
        """Take part in a database; `Repository.include` makes these."""
        super().__init__(runner, cast("Any", own.joined(relations, JoinedStatements)), secret, with_deleted=with_deleted)
        self._alone = None
        self._own = own
        self._relations = tuple(relations)

    @overload
    def include(self, relation: Mapped[Sequence[HasRow[I]]], /) -> "Included[R, *Ts, list[I]]": ...
    @overload
    def include(self, relation: Mapped[HasRow[I]], /) -> "Included[R, *Ts, I]": ...
    @overload
    def include(self, relation: Mapped[HasRow[I] | None], /) -> "Included[R, *Ts, I | None]": ...
    def include(self, relation: Any, /) -> "Included[Any, *tuple[Any, ...]]":
        """Return the same with one more relation: `posts.include(Post.user).include(Post.comments)`."""
        relations = [*self._relations, relation_of(self._shape, relation)]
        return Included(self._runner, self._own, self._secret, relations, with_deleted=self._with_deleted)

    def cached(
        self,
        *,
        ttl: timedelta | str = "1m",
        stale: timedelta | str | None = None,
        tags: "Iterable[Tag | str] | Tag | str" = (),
    ) -> "Included[R, *Ts]":
        """Return the same with results kept in the cache, of each statement those of its own tables; as `Repository.cached`."""
        runner = through_cache(self._runner, ttl, stale, tags)
        return Included(runner, self._own, self._secret, self._relations, with_deleted=self._with_deleted)

    def _fetch(self, query: Compiled[Any], values: Sequence[object]) -> list[Any]:
        rows = self._runner.all(query, values)
        keys = list(dict.fromkeys(self._shape.key_of(row[0])[0] for row in rows))
        for place, relation in enumerate(self._relations, start=1):
            if relation.is_many and keys:
                found = self._runner.all(related(self._own, relation, with_deleted=self._with_deleted), (keys,))
                _attach(rows, place, found, self._shape.key_of)
        return [tuple(row) for row in rows]

    def _by_key(self, key: tuple[object, ...]) -> Any:  # noqa: ANN401 - a row with its relations
        found = self._fetch(select_statements.get(self._statements, self._with_deleted), key)
        return found[0] if found else None

    def _own_row(self, row: Any) -> object:  # noqa: ANN401 - a row with its relations
        return row[0]


def _attach(rows: Sequence[list[Any]], place: int, found: Sequence[tuple[object, Any]], key_of: Any) -> None:  # noqa: ANN401 - the shape's
    """Put related rows into the lists of those that they belong to."""
    lists = {key_of(row[0])[0]: row[place] for row in rows}
    for owner, other in found:
        lists[owner].append(other)
