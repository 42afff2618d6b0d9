"""The cache of a process: one connection, rows, query results, and the writes that make them fresh."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, get_type_hints

import msgspec

from pgkeel.cache._async.change import Change
from pgkeel.cache._async.client import Client
from pgkeel.cache._async.reader import Reader
from pgkeel.cache._async.rows import RowCache
from pgkeel.cache._colour.asynchronous import Call
from pgkeel.cache.codec import Codec
from pgkeel.cache.entry import Shelf
from pgkeel.cache.figures import Figures
from pgkeel.cache.life import Life, milliseconds
from pgkeel.cache.names import Names, Tag, tag
from pgkeel.cache.touched import Touched
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.errors import Unreachable, UsageError
from pgkeel.core.log import get_logger
from pgkeel.core.secret import Secret

__all__ = ["Cache"]

P = ParamSpec("P")
R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")
Tags = Iterable[Tag | str]
_log = get_logger(__name__)


class Cache:
    """A cache that is never stale: what a write has acknowledged, no later read misses.

    Use it with `async with Cache(url, secret=…) as cache:`; one a process, in the loop that opened it.
    """

    def __init__(
        self,
        url: CacheUrl | str,
        *,
        secret: Secret,
        namespace: str = "pgkeel",
        mark: timedelta = timedelta(seconds=10),
        lease: timedelta = timedelta(seconds=2),
        patience: timedelta = timedelta(seconds=1),
    ) -> None:
        """Say where; nothing connects yet.

        Args:
            url: The address of Valkey 8 or Redis 7, or newer.
            secret: Keys are hashed with it; all processes share it.
            namespace: What all keys begin with. Processes that write the same tables share it.
            mark: How long a write may take from the announcement of its COMMIT to its end; the same in all processes.
            lease: How long a reader may take to read the database and fill.
            patience: How long the server may be silent.

        Raises:
            ConfigError: The address is wrong or the secret too short.
        """
        self.client = Client(url, patience=patience.total_seconds())
        names = Names(namespace, secret)
        self._reader = Reader(self.client, names, mark=milliseconds(mark), lease=milliseconds(lease))

    @property
    def figures(self) -> Figures:
        """How well it works in this process."""
        return self._reader.figures

    async def open(self) -> Self:
        """Connect; a server that does not answer is logged, and reads go to the database until it does.

        Raises:
            LoginRefused: The user or password is wrong.
            CacheUnsuitable: The server is too old, or a replica.
        """
        try:
            await self.client.open()
        except Unreachable as err:
            _log.warning("cache.away", reason=err.message)
        return self

    async def close(self) -> None:
        """Close the connection."""
        await self.client.close()

    async def __aenter__(self) -> Self:
        """Open it."""
        return await self.open()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        await self.close()

    def rows(
        self,
        table: str,
        row: type[R],
        *,
        key: Any,  # noqa: ANN401 - a type form: UUID, int, tuple[UUID, str]
        ttl: timedelta | str = "5m",
        missing_ttl: timedelta | str = "30s",
    ) -> RowCache[R]:
        """Return the row cache of a table.

        Args:
            table: Its name.
            row: The struct of its rows.
            key: The type of its key.
            ttl: How long a row is kept at most.
            missing_ttl: How long it is remembered that there is no row.
        """
        return RowCache(self._reader, table, row, key, Life.of(ttl, missing_ttl))

    def cached(
        self, *, tags: Tags | Callable[..., Tags], ttl: timedelta | str = "1m", name: str = ""
    ) -> Callable[[Call[T]], Call[T]]:
        """Return a decorator that keeps a function's results until a write touches one of their tags.

        Args:
            tags: Tables and `tag(…)`s that the result depends on, or a function that returns them for the arguments.
            ttl: How long a result is kept at most.
            name: Names the function in the cache; its module and name when not given.

        Raises:
            UsageError: The function does not say what it returns.
        """
        life = Life.of(ttl, ttl)

        def decorate(function: Call[T]) -> Call[T]:
            codec, known = _codec_of(function), name or f"{function.__module__}.{function.__qualname__}"

            @wraps(function)
            async def call(*given: object, **named: object) -> Any:  # noqa: ANN401 - what the function returns
                wanted = tags(*given, **named) if callable(tags) else tags
                names = self._reader.names
                keys = [names.tag(tag(one) if isinstance(one, str) else one) for one in wanted]
                shelf = Shelf((names.epoch, *keys), codec)
                return await self._reader.read(names.result(known, given, named), shelf, life, function, *given, **named)

            return call

        return decorate

    def change(self, *touched: Touched | Tag) -> Change:
        """Return the writes of one transaction."""
        return Change(self._reader).add(*touched)

    async def flush(self) -> None:
        """Let nothing that is cached now be served again, and nobody fill for one `mark`.

        Raises:
            Unreachable: The server does not answer.
            CommandRefused: It refused.
        """
        await self._reader.begin_epoch(on_demand=True)


def _codec_of(function: Callable[..., Any]) -> Codec[Any]:
    returned = get_type_hints(function).get("return")
    if returned is None:
        raise UsageError(f"{function.__qualname__} does not say what it returns", hint="annotate its return type")
    return Codec(returned)
