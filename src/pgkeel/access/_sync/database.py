# Generated from pgkeel/access/_async/database.py by tools/unasync.py; do not edit.
"""One database handle: the pool and the three doors on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar, cast, overload

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm.exc import StaleDataError

from pgkeel.access._drivers.threaded import DEFAULT, driver_for
from pgkeel.access._sync.pool import Pool
from pgkeel.access._sync.repository import Repository
from pgkeel.access._sync.runner import Runner
from pgkeel.access._sync.session import Engine, Session, engine_on
from pgkeel.access.errors import Conflict, StatementFailed
from pgkeel.access.handwritten import arranged
from pgkeel.access.shape import shape_of
from pgkeel.access.statements import Statements
from pgkeel.core.cipher import Cipher
from pgkeel.core.config import PoolConfig
from pgkeel.core.errors import KeelError
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.postgres import Query
from pgkeel.schema import HasRow
from pgkeel.schema.sealed_type import bind_keys

__all__ = ["Database"]

R = TypeVar("R")
T = TypeVar("T")


class Database:
    """A database and its pool of connections.

    Use it with `with Database(url) as db:`; one handle serves a whole process.
    """

    def __init__(
        self,
        url: Url | str,
        *,
        pool: PoolConfig | None = None,
        driver: str = DEFAULT,
        cursor_key: Secret | None = None,
        keys: Cipher | None = None,
    ) -> None:
        """Say where and how; nothing connects yet.

        Args:
            url: The address, as `pgkeel url` prints it; the password comes from its passfile.
            pool: The design's numbers: 2 connections at least, 10 at most, 30 s unused, 2 s of waiting.
            driver: The driver's name.
            cursor_key: Signs page cursors. Without one, cursors are good for this handle only; give all processes the same.
            keys: The key ring that seals and opens encrypted columns: `pgkeel.security.keys.follow(url, provider)`.

        Raises:
            ConfigError: The driver cannot do what the address asks for.
        """
        self._driver = driver_for(driver, Url.parse(url) if isinstance(url, str) else url)
        bind_keys(self._driver.dialect, keys)
        self.pool = Pool(self._driver, pool or PoolConfig())
        self._runner = Runner(self.pool)
        self._secret = cursor_key or Secret.generate()
        self._repositories: dict[object, Repository[Any]] = {}
        self._engine: Engine | None = None

    def open(self) -> Self:
        """Open the pool's first connections.

        Raises:
            Unreachable: The server cannot be reached.
        """
        self.pool.open()
        return self

    def close(self) -> None:
        """Close all connections; those in use when they are put back."""
        self.pool.close()

    def __enter__(self) -> Self:
        """Open it."""
        return self.open()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        self.close()

    def repository(self, model: HasRow[R]) -> Repository[R]:
        """Return the repository of a model: `db.repository(Post)` reads `PostRow`s."""
        known = self._repositories.get(model)
        if known is None:
            statements = Statements(shape_of(model), self._driver.dialect)
            known = self._repositories[model] = Repository(self._runner, statements, self._secret)
        return cast("Repository[R]", known)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a unit of work: an ORM session in a transaction that commits at the end, or rolls back when the block raises.

        Raises:
            Conflict: A row was changed by somebody else since the session read it.
            AccessError: What the server refused, as everywhere else.
        """
        if self._engine is None:
            self._engine = engine_on(self.pool)
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                yield session
        except StaleDataError:
            failure: KeelError = Conflict("a row of this transaction was changed by somebody else", hint="read it again")
        except DBAPIError as err:
            failure = self._failure(err)
        else:
            return
        raise failure

    @overload
    def sql(self, text: str | Query, /, *, into: Callable[..., T], **values: object) -> list[T]: ...
    @overload
    def sql(self, text: str | Query, /, *, into: None = None, **values: object) -> list[dict[str, Any]]: ...
    def sql(self, text: str | Query, /, *, into: Callable[..., Any] | None = None, **values: object) -> list[Any]:
        """Run hand-written SQL and return its rows.

        Args:
            text: One statement with `%(name)s` for each value; a literal percent sign is written `%%`.
            into: A struct whose fields are named like the columns; a plain type for a single column; nothing for dicts.
            values: The values; they travel beside the statement, never inside it.
        """
        statement, bound = arranged(text, values, self._driver.dialect)
        return self._runner.sql(statement, bound, into or dict)

    def _failure(self, error: DBAPIError) -> KeelError:
        """Return our error for one that SQLAlchemy wrapped."""
        origin = error.orig
        for cause in (getattr(origin, "__cause__", None), origin):
            if isinstance(cause, self._driver.errors):
                return self._runner.failure(cause, "transaction")
        return StatementFailed("transaction: the driver refused a statement")
