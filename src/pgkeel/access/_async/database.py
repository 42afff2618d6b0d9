"""One database handle: the pool and the three doors on it."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast, overload

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.access._async.asking import ask, ask_rows
from pgkeel.access._async.explaining import explain
from pgkeel.access._async.hooks import Hook
from pgkeel.access._async.pool import Pool
from pgkeel.access._async.repositories import Repositories
from pgkeel.access._async.repository import Repository
from pgkeel.access._async.runner import Runner
from pgkeel.access._async.units import Units
from pgkeel.access._drivers.asynchronous import DEFAULT, driver_for
from pgkeel.access.actor import as_actor
from pgkeel.access.asked import Asked
from pgkeel.access.compiled import Compiled, Expressions, compile_statement
from pgkeel.access.counting import Scope, expect
from pgkeel.access.explain.plan import Explained
from pgkeel.access.explain.request import Analyze
from pgkeel.access.handwritten import arranged
from pgkeel.access.sealing import sealed_fields
from pgkeel.access.settings import session_settings
from pgkeel.access.shape import shape_of
from pgkeel.access.tagging import values_wanted
from pgkeel.access.touched import Touched
from pgkeel.core.cipher import Cipher
from pgkeel.core.config import PoolConfig
from pgkeel.core.meter import Meter
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.postgres import Query
from pgkeel.schema import HasRow
from pgkeel.schema.sealed_compiler import guard
from pgkeel.schema.sealed_type import bind_keys

if TYPE_CHECKING:
    from pgkeel.access._async.caching import Caching
    from pgkeel.cache._async.cache import Cache
    from pgkeel.cache.names import Tag
    from pgkeel.security._async.identity import Identity

__all__ = ["Database"]

R = TypeVar("R")
T = TypeVar("T")


class Database(Units):
    """A database and its pool of connections.

    Use it with `async with Database(url) as db:`; one handle serves a whole process.
    """

    def __init__(
        self,
        url: Url | str,
        *,
        pool: PoolConfig | None = None,
        driver: str = DEFAULT,
        cursor_key: Secret | None = None,
        keys: Cipher | None = None,
        hooks: Sequence[Hook] = (),
        cache: "Cache | None" = None,
        meter: Meter | None = None,
        slow: timedelta = timedelta(seconds=1),
    ) -> None:
        """Say where and how; nothing connects yet.

        Args:
            url: The address, as `pgkeel url` prints it; the password comes from its passfile.
            pool: The design's numbers: 2 connections at least, 10 at most, 30 s unused, 2 s of waiting.
            driver: The driver's name.
            cursor_key: Signs page cursors. Without one, cursors are good for this handle only; give all processes the same.
            keys: The key ring that seals and opens encrypted columns: `pgkeel.security.keys.follow(url, provider)`.
            hooks: Who is told of what is written, before and after it is committed.
            cache: Keeps rows of models that say `cache = Row(…)`, and hears of every write. It is opened and closed by its owner.
            meter: Where the pool's figures are published while the handle is open.
            slow: Statements as slow are logged with the place in your code that they come from; `[monitor] slow_query`.

        Raises:
            ConfigError: The driver cannot do what the address asks for.
        """
        config = pool or PoolConfig()
        address = Url.parse(url) if isinstance(url, str) else url
        self._driver = driver_for(driver, address, session_settings(config))
        bind_keys(self._driver.dialect, keys)
        guard(self._driver.dialect)
        self.pool = Pool(self._driver, config, slow=slow)
        self._meter = meter
        self._failures: tuple[type[Exception], ...] = (StaleDataError, DBAPIError, *self._driver.errors)
        self._caching = _caching(cache)
        self._runner = Runner(self.pool, (*hooks, self._caching) if self._caching else hooks, self._caching)
        if self._caching:
            self._caching.on(self._runner, keys, address.database)
        self._repositories = Repositories(self._driver.dialect, cursor_key or Secret.generate())
        self._known: dict[object, Repository[Any]] = {}
        self._keys = keys
        self._identity: Identity | None = None

    async def open(self) -> Self:
        """Open the pool's first connections.

        Raises:
            Unreachable: The server cannot be reached.
            ConfigError: There is a cache, and the database has no ledger for it or is a standby; or it is another database's.
        """
        await self.pool.open()
        if self._caching:
            try:
                await self._caching.open()
            except BaseException:
                await self.close()
                raise
        if self._meter is not None:
            self._meter.publish("pool", lambda: self.pool.figures().as_numbers())
        return self

    async def close(self) -> None:
        """Close all connections; those in use when they are put back."""
        if self._meter is not None:
            self._meter.withdraw("pool")
        await self.pool.close()

    async def __aenter__(self) -> Self:
        """Open it."""
        return await self.open()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        await self.close()

    def repository(self, model: HasRow[R]) -> Repository[R]:
        """Return the repository of a model: `db.repository(Post)` reads `PostRow`s."""
        known = self._known.get(model)
        if known is None:
            known = self._known[model] = self._repositories.on(self._runner, model)
        return cast("Repository[R]", known)

    def sealed(self, model: HasRow[R], fields: Mapping[str, object], /) -> Mapping[str, Any]:
        """Return the fields of a row as your own statement writes them: encrypted ones sealed, with its id and its digests."""
        return sealed_fields(shape_of(model), fields, self._driver.dialect)

    @property
    def identity(self) -> "Identity":
        """Accounts, logins, sessions and roles on the design's tables; another policy takes an `Identity` of its own."""
        if self._identity is None:
            from pgkeel.security._async.identity import Identity  # noqa: PLC0415 - pgkeel[security] only where it is used

            self._identity = Identity(self, keys=self._keys)
        return self._identity

    def tag(self, model: HasRow[Any], /, **values: object) -> "Tag":
        """Return the tag of a model's rows with these column values, of encrypted columns by their blind index.

        Raises:
            UsageError: The model has no such column, or the value is not of its type.
        """
        from pgkeel.cache.names import Tag  # noqa: PLC0415 - needs the extra [cache]

        shape = shape_of(model)
        return Tag(shape.table.fullname, values_wanted(shape, values, self._driver.dialect))

    async def explain(
        self, statement: "ClauseElement | Query | str", /, *, analyze: Analyze = False, **values: object
    ) -> Explained:
        """Return the plan of a statement as a tree, with what is wrong with it in words; `print(await db.explain(…))`.

        Args:
            statement: A statement of SQLAlchemy with its values in it, or hand-written SQL as for `sql`.
            analyze: False plans only; True runs it in a read-only transaction; "rollback" runs a write and undoes it.
            values: The values of hand-written SQL.

        Raises:
            ReadOnly: It writes, and `analyze` is not "rollback".
        """
        if isinstance(statement, ClauseElement):
            dialect = self._driver.dialect
            (fixed,), _ = Expressions((statement,)).fixed()
            query: Compiled[Any] = compile_statement(fixed, (), columns=(), into=dict, dialect=dialect, doing="explain")
            return await explain(self._runner, query.sql, query.bind(()), analyze)
        text, bound = arranged(statement, values, self._driver.dialect)
        return await explain(self._runner, text, bound, analyze)

    as_actor = staticmethod(as_actor)

    @staticmethod
    def expect(queries: int | None = None, *, at_most: int | None = None) -> AbstractContextManager[Scope]:
        """Expect a number of statements in the block: `with db.expect(queries=3): …`.

        Raises:
            UnexpectedCount: It was another; an `AssertionError`, too.
        """
        return expect(queries, at_most=at_most)

    @overload
    async def sql(
        self, text: str | Query, /, *, into: Callable[..., T], writes: Sequence[str] | None = None, **values: object
    ) -> list[T]: ...
    @overload
    async def sql(
        self, text: str | Query, /, *, into: None = None, writes: Sequence[str] | None = None, **values: object
    ) -> list[dict[str, Any]]: ...
    async def sql(
        self,
        text: str | Query,
        /,
        *,
        into: Callable[..., Any] | None = None,
        writes: Sequence[str] | None = None,
        **values: object,
    ) -> list[Any]:
        """Run hand-written SQL and return its rows.

        Args:
            text: One statement with `%(name)s` for each value; a literal percent sign is written `%%`.
            into: A struct whose fields are named like the columns; a plain type for a single column; nothing for dicts.
            writes: The tables it writes, for those who keep copies of rows; without it a write counts as one of anything.
            values: The values; they travel beside the statement, never inside it.
        """
        statement, bound = arranged(text, values, self._driver.dialect)
        touched = Touched()
        touched.handwritten(statement, writes)
        if not touched:
            return await self._runner.sql(statement, bound, into or dict)
        return await self._runner.announced(touched, lambda: self._runner.sql(statement, bound, into or dict))

    async def ask(self, asked: Asked, values: Sequence[object], /) -> Any:  # noqa: ANN401 - what the annotation says
        """Run the statement of a `@query` function: `by_author(db, …)` calls it."""
        return await ask(self._runner, asked, values)

    def ask_rows(self, asked: Asked, values: Sequence[object], /) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Read the rows of a `@query` function that returns an iterator through a cursor of the server."""
        return ask_rows(self._runner, asked, values)


def _caching(cache: "Cache | None") -> "Caching | None":
    if cache is None:
        return None
    from pgkeel.access._async.caching import Caching  # noqa: PLC0415 - needs the extra [cache]

    return Caching(cache)
