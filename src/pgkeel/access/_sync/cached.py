# Generated from pgkeel/access/_async/cached.py by tools/unasync.py; do not edit.
"""Reads of a repository whose results are kept in the cache."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from pgkeel.access._sync.hooks import ResultCache
from pgkeel.access._sync.pages import Pages
from pgkeel.access._sync.reports import Reports
from pgkeel.access._sync.runner import Runner
from pgkeel.access._sync.searches import Searches
from pgkeel.access.compiled import Compiled
from pgkeel.access.statements import Statements
from pgkeel.core.errors import UsageError
from pgkeel.core.secret import Secret

if TYPE_CHECKING:
    from pgkeel.cache.names import Tag

__all__ = ["CachedReads", "CachedRunner", "through_cache"]

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class CachedRunner(Runner):
    """Runs statements that read, where the cache does not know what they return.

    Attributes:
        outer: Runs them.
    """

    __slots__ = ("_results", "outer")

    def __init__(self, outer: Runner, results: ResultCache) -> None:
        """Ask the cache first, then the runner."""
        super().__init__(outer.pool, caching=outer.caching)
        self.outer = outer
        self._results = results

    def one(self, query: Compiled[T], values: Sequence[object]) -> T | None:
        """Return the first row, or None."""
        found = self.all(query, values)
        return found[0] if found else None

    def all(self, query: Compiled[T], values: Sequence[object]) -> list[T]:
        """Return all rows."""
        records = self._results.records(query, values, lambda: self.outer.all(query.records(), values))
        return query.read_all(records)


def through_cache(
    runner: Runner, ttl: timedelta | str, stale: timedelta | str | None, tags: "Iterable[Tag | str] | Tag | str"
) -> Runner:
    """Return a runner for reads that keeps what they return; inside of a unit of work the same one.

    Raises:
        UsageError: The handle has no cache, or one is not a tag.
        ConfigError: One is not a duration of a millisecond or more.
    """
    if runner.caching is None:
        raise UsageError("the handle has no cache to read through", hint="Database(url, cache=Cache(…))")
    results, outer = runner.caching.results(ttl, stale, tags), runner.outer if isinstance(runner, CachedRunner) else runner
    return CachedRunner(outer, results) if outer.is_autocommit else outer


class CachedReads(Pages[R_co], Searches[R_co], Reports[R_co]):
    """Reads the rows of one model; `Repository.cached` makes these."""

    __slots__ = ("_row",)

    def __init__(
        self,
        runner: Runner,
        statements: Statements[R_co],
        secret: Secret,
        row: Callable[[tuple[object, ...]], R_co | None] | None,
        *,
        with_deleted: bool,
    ) -> None:
        """Take part in a database; `row` reads a row by its key where the model's rows are cached by theirs."""
        super().__init__(runner, statements, secret, with_deleted=with_deleted)
        self._alone = None
        self._row = row or self._read_one

    def _by_key(self, key: tuple[object, ...]) -> R_co | None:
        return self._row(key)
