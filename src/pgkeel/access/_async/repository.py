"""The first door: rows of one model, read as frozen structs and written one statement at a time."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

from sqlalchemy.orm import Mapped

from pgkeel.access._async.bulk import Bulk
from pgkeel.access._async.cached import CachedReads, through_cache
from pgkeel.access._async.included import Included
from pgkeel.access._async.pages import Pages
from pgkeel.access._async.purges import Purges
from pgkeel.access._async.reports import Reports
from pgkeel.access._async.searches import Searches
from pgkeel.access._async.streams import Streams
from pgkeel.access._async.writes import Writes
from pgkeel.access.joins import relation_of
from pgkeel.schema import HasRow

if TYPE_CHECKING:
    from pgkeel.cache.names import Tag

__all__ = ["Repository"]

R_co = TypeVar("R_co", covariant=True)
I = TypeVar("I")  # noqa: E741 - what is included


class Repository(Pages[R_co], Searches[R_co], Reports[R_co], Streams[R_co], Writes[R_co], Bulk[R_co], Purges[R_co]):
    """Reads and writes the rows of one model; soft-deleted rows are invisible unless asked for by `with_deleted`."""

    __slots__ = ()

    @overload
    def include(self, relation: Mapped[Sequence[HasRow[I]]], /) -> "Included[R_co, list[I]]": ...
    @overload
    def include(self, relation: Mapped[HasRow[I]], /) -> "Included[R_co, I]": ...
    @overload
    def include(self, relation: Mapped[HasRow[I] | None], /) -> "Included[R_co, I | None]": ...
    def include(self, relation: Any, /) -> "Included[Any, Any]":
        """Return reads of rows together with the rows that they are related to, as tuples.

        `posts.include(Post.user).include(Post.comments)` reads `(PostRow, UserRow, [CommentRow, …])` in two statements: one
        related row comes by a join, many come by one more statement for all rows of an answer.

        Raises:
            UsageError: It is no relationship of this model.
        """
        relations = [relation_of(self._shape, relation)]
        return Included(self._runner, self._statements, self._secret, relations, with_deleted=self._with_deleted)

    def cached(
        self,
        *,
        ttl: timedelta | str = "1m",
        stale: timedelta | str | None = None,
        tags: "Iterable[Tag | str] | Tag | str" = (),
    ) -> "CachedReads[R_co]":
        """Return reads whose results are kept in the cache until a write touches a table that stands in their statement.

        `posts.cached(ttl="5m").page(Post.status == "published")`. Inside of a unit of work they ask the database.

        Args:
            ttl: How long a result is kept at most.
            stale: For how long after it was filled others may get a result while it is made anew; see `Cache.rows`.
            tags: Stand instead of their tables: `db.tag(Post, user_id=user)`, where only rows with this value are read. Tables
                beside them are those that a view or a function of yours reads.

        Raises:
            UsageError: The handle has no cache, or one is not a tag.
            ConfigError: One is not a duration of a millisecond or more.
        """
        runner, row = through_cache(self._runner, ttl, stale, tags), None if self._cached is None else self._by_key
        return CachedReads(runner, self._statements, self._secret, row, with_deleted=self._with_deleted)

    def with_deleted(self) -> "Repository[R_co]":
        """Return the same repository with soft-deleted rows visible."""
        return Repository(self._runner, self._statements, self._secret, with_deleted=True)
