"""What a handle is given beside its pool: who is told of every unit of work, and who keeps rows and results."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from pgkeel.access.compiled import Compiled
from pgkeel.access.shape import Shape
from pgkeel.access.touched import Touched

if TYPE_CHECKING:  # the extra [cache]
    from pgkeel.cache._async.rows import RowCache
    from pgkeel.cache.names import Tag
    from pgkeel.cache.records import Records

__all__ = ["Caches", "Hook", "ResultCache"]


class ResultCache(Protocol):
    """Keeps what statements return."""

    async def records(
        self, query: Compiled[Any], values: Sequence[object], load: "Callable[[], Awaitable[Records]]"
    ) -> "Records":
        """Return the records of a statement from the cache, else from `load`."""
        ...


class Caches(Protocol):
    """The caches of a handle."""

    def rows(self, shape: Shape[Any]) -> "RowCache[Any] | None":
        """Return the row cache of a model; None where the model does not ask for one."""
        ...

    def results(
        self, ttl: timedelta | str, stale: timedelta | str | None, tags: "Iterable[Tag | str] | Tag | str"
    ) -> ResultCache:
        """Return what keeps the results of statements for so long."""
        ...


class Hook(Protocol):
    """One listener; `Database(hooks=[…])` keeps them for all units of work and for writes of repositories.

    Exactly one of `after_commit` and `after_rollback` follows `before_commit`, or none: then the connection was lost, or the
    caller cancelled, while COMMIT was on its way, and nobody knows how it ended (`CommitUnknown`).
    """

    async def before_commit(self, touched: Touched) -> None:
        """Be told what was written, after the last statement and before COMMIT; raising rolls back."""
        ...

    async def after_commit(self, touched: Touched) -> None:
        """Be told that it is kept, before the caller is; what is raised here is logged and changes nothing."""
        ...

    async def after_rollback(self, touched: Touched) -> None:
        """Be told that nothing of it was kept; what is raised here is logged and changes nothing."""
        ...
