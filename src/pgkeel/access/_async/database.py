"""One database handle: the pool and the three doors on it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import timedelta
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, cast, overload

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.access._async.explaining import explain
from pgkeel.access._async.hooks import Hook
from pgkeel.access._async.pool import Pool
from pgkeel.access._async.repositories import Repositories
from pgkeel.access._async.repository import Repository
from pgkeel.access._async.runner import Runner
from pgkeel.access._async.session import AsyncEngine, engine_on
from pgkeel.access._async.transaction import Isolation, Transaction
from pgkeel.access._colour.asynchronous import pause
from pgkeel.access._drivers.asynchronous import DEFAULT, driver_for
from pgkeel.access.compiled import Compiled, Expressions, compile_statement
from pgkeel.access.counting import Scope, expect
from pgkeel.access.errors import RetryNeeded
from pgkeel.access.explain.plan import Explained
from pgkeel.access.explain.request import Analyze
from pgkeel.access.handwritten import arranged
from pgkeel.access.retry import delay, name_of_work
from pgkeel.access.sealing import sealed_fields
from pgkeel.access.settings import session_settings
from pgkeel.access.shape import shape_of
from pgkeel.access.touched import Touched
from pgkeel.core.cipher import Cipher
from pgkeel.core.config import PoolConfig
from pgkeel.core.errors import KeelError
from pgkeel.core.log import get_logger
from pgkeel.core.meter import Meter
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.postgres import Query
from pgkeel.schema import HasRow
from pgkeel.schema.sealed_type import bind_keys

if TYPE_CHECKING:
    from pgkeel.access._async.caching import Caching
    from pgkeel.cache._async.cache import Cache
    from pgkeel.security._async.identity import Identity

__all__ = ["Database"]

R = TypeVar("R")
T = TypeVar("T")
P = ParamSpec("P")
log = get_logger(__name__)


class Database:
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
        self._driver = driver_for(driver, Url.parse(url) if isinstance(url, str) else url, session_settings(config))
        bind_keys(self._driver.dialect, keys)
        self.pool = Pool(self._driver, config, slow=slow)
        self._meter = meter
        self._failures: tuple[type[Exception], ...] = (StaleDataError, DBAPIError, *self._driver.errors)
        self._caching = _caching(cache)
        self._runner = Runner(self.pool, (*hooks, self._caching) if self._caching else hooks, self._caching)
        if self._caching:
            self._caching.on(self._runner)
        self._repositories = Repositories(self._driver.dialect, cursor_key or Secret.generate())
        self._known: dict[object, Repository[Any]] = {}
        self._engine: AsyncEngine | None = None
        self._keys = keys
        self._identity: Identity | None = None

    async def open(self) -> Self:
        """Open the pool's first connections.

        Raises:
            Unreachable: The server cannot be reached.
            ConfigError: There is a cache, and the database has no ledger for it.
        """
        await self.pool.open()
        if self._caching:
            try:
                await self._caching.require_ledger()
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

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation | None = None, read_only: bool = False, statement_timeout: timedelta | None = None
    ) -> AsyncIterator[Transaction]:
        """Open a unit of work: an ORM session in a transaction that commits at the end, or rolls back when the block raises.

        Args:
            isolation: `read committed`, `repeatable read` or `serializable`; None is the server's default.
            read_only: Whether the server refuses writes.
            statement_timeout: How long one statement may take.

        Raises:
            Conflict: A row was changed by somebody else since the session read it.
            RetryNeeded: A serialization failure or deadlock: `run` does it again.
            CommitUnknown: The connection ended during COMMIT.
            AccessError: What the server refused, as everywhere else.
        """
        transaction = Transaction(self._alchemy(), self._runner, self._repositories)
        failure: KeelError | None = None
        try:
            async with transaction:
                await transaction.start(isolation, statement_timeout, read_only=read_only)
                yield transaction
                await transaction.finish()
        except self._failures as err:
            failure = transaction.failure(err)
        finally:
            await transaction.tell_end()
        if failure is not None:
            raise failure from None  # what the driver said repeats whole rows

    async def run(
        self,
        work: Callable[[Transaction], Awaitable[T]],
        /,
        *,
        retries: int = 3,
        isolation: Isolation | None = None,
        read_only: bool = False,
        statement_timeout: timedelta | None = None,
    ) -> T:
        """Call a function with a unit of work, and again with a fresh one when the server asks for it; return its result.

        It is called again after a serialization failure, a deadlock or a migration of a table that it reads; never after an
        ambiguous COMMIT. What it does outside of the database happens as often as it is called: use `publish` for that.

        Args:
            work: `async def transfer(tx): …`; its last return value counts.
            retries: How often it is called again, with growing pauses of 10 ms to 1 s.
            isolation: As of `transaction`.
            read_only: As of `transaction`.
            statement_timeout: As of `transaction`.

        Raises:
            RetryNeeded: The last attempt failed like those before.
            CommitUnknown: The connection ended during COMMIT.
        """
        for attempt in range(retries):
            try:
                async with self.transaction(
                    isolation=isolation, read_only=read_only, statement_timeout=statement_timeout
                ) as transaction:
                    return await work(transaction)
            except RetryNeeded as err:
                log.info("access.retry", work=name_of_work(work), attempt=attempt + 1, sqlstate=err.sqlstate)
            await pause(delay(attempt))
        async with self.transaction(isolation=isolation, read_only=read_only, statement_timeout=statement_timeout) as transaction:
            return await work(transaction)

    def transactional(
        self,
        *,
        retries: int = 3,
        isolation: Isolation | None = None,
        read_only: bool = False,
        statement_timeout: timedelta | None = None,
    ) -> Callable[[Callable[Concatenate[Transaction, P], Awaitable[T]]], Callable[P, Awaitable[T]]]:
        """Make a function whose first argument is a unit of work into one without it, run as by `run`."""

        def decorate(function: Callable[Concatenate[Transaction, P], Awaitable[T]]) -> Callable[P, Awaitable[T]]:
            @wraps(function)
            async def call(*given: P.args, **named: P.kwargs) -> T:
                async def work(transaction: Transaction) -> T:
                    return await function(transaction, *given, **named)

                return await self.run(
                    work, retries=retries, isolation=isolation, read_only=read_only, statement_timeout=statement_timeout
                )

            return call

        return decorate

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

    def _alchemy(self) -> AsyncEngine:
        if self._engine is None:
            self._engine = engine_on(self.pool)
        return self._engine


def _caching(cache: "Cache | None") -> "Caching | None":
    if cache is None:
        return None
    from pgkeel.access._async.caching import Caching  # noqa: PLC0415 - needs the extra [cache]

    return Caching(cache)
