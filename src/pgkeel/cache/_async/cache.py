"""The cache of a process: one connection, rows, query results, and the writes that make them fresh."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import wraps
from types import TracebackType
from typing import Any, Literal, ParamSpec, Self, TypeVar, get_type_hints

import msgspec

from pgkeel.cache._async.change import Change
from pgkeel.cache._async.client import Client
from pgkeel.cache._async.declared import Declared
from pgkeel.cache._async.ledger import Ledger
from pgkeel.cache._async.reader import Reader
from pgkeel.cache._async.results import Results
from pgkeel.cache._async.rows import RowCache
from pgkeel.cache._colour.asynchronous import Call
from pgkeel.cache.figures import Figures
from pgkeel.cache.life import Life, milliseconds
from pgkeel.cache.names import Namer, Names, Tag
from pgkeel.cache.sealing import Bound, Seals
from pgkeel.cache.touched import Touched, tags_of
from pgkeel.core.cache_url import CacheUrl
from pgkeel.core.cipher import Cipher
from pgkeel.core.clock import monotonic
from pgkeel.core.errors import ConfigError, Unreachable, UsageError
from pgkeel.core.log import get_logger
from pgkeel.core.meter import Meter
from pgkeel.core.secret import Secret

__all__ = ["Cache"]

P = ParamSpec("P")
R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")
OnOutage = Literal["closed", "open"]
Tags = Iterable[Tag | str] | Tag
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
        on_outage: OnOutage = "open",
        epoch_check: timedelta = timedelta(seconds=1),
        cipher: Cipher | None = None,
        sealed: Iterable[str] = (),
        meter: Meter | None = None,
    ) -> None:
        """Say where; nothing connects yet.

        Args:
            url: The address of Valkey 8 or Redis 7, or newer.
            secret: Keys are hashed with it; all processes share it.
            namespace: What all keys begin with. Processes that write the same tables share it.
            mark: How long a write may take from the announcement of its COMMIT to its end; the same in all processes.
            lease: How long a reader may take to read the database and fill.
            patience: How long the server may be silent.
            on_outage: What becomes of a write when the server does not answer. "closed": it fails. "open": it commits, and the
                database begins another epoch. The latter needs the cache to be bound to a database, see `bind`.
            epoch_check: How long hits are served, when bound, without asking the database for its epoch.
            cipher: Seals results of queries that depend on one of the `sealed` tables; a bound database hands in its keys.
            sealed: Tables with an encrypted column; a bound database knows those of its models.
            meter: Where the figures are published while the cache is open, by table and function too.

        Raises:
            ConfigError: The address is wrong, the secret too short, or `on_outage` neither "closed" nor "open".
        """
        if on_outage not in {"closed", "open"}:
            raise ConfigError(f"on_outage={on_outage!r} is not known", hint='"closed" or "open"')
        names = Names(namespace, secret)
        self.client = Client(url, patience=patience.total_seconds(), home=names.epoch)
        self._reader = Reader(self.client, names, mark=milliseconds(mark), lease=milliseconds(lease))
        self._reader.is_open = on_outage == "open"
        self._seals = Seals(cipher, sealed)
        self._namers: dict[str, Namer] = {}
        self._epoch_check = epoch_check.total_seconds()
        self._meter = meter
        self._owner: tuple[str, str] | None = None

    @property
    def names(self) -> Names:
        """What names the keys of this namespace."""
        return self._reader.names

    @property
    def declared(self) -> Declared:
        """By the values of which columns results are tagged; `access.Database(cache=…)` says so, from the models."""
        return self._reader.declared

    @property
    def mark(self) -> float:
        """How long a write may take from the announcement of its COMMIT to its end, in seconds."""
        return self._reader.mark / 1000

    @property
    def figures(self) -> Figures:
        """How well it works in this process."""
        return self._reader.figures

    def bind(self, ledger: Ledger) -> None:
        """Serve hits only while the database's epoch is confirmed; `access.Database(cache=…)` does this."""
        self._reader.bind(ledger, self._epoch_check)

    def belong_to(self, server: str, database: str) -> None:
        """Keep what this database holds, and nothing of another: rows with the same keys would be taken for each other.

        Args:
            server: What identifies the server.
            database: The name of the database.

        Raises:
            ConfigError: It keeps what another holds.
        """
        if self._owner not in {None, (server, database)}:
            raise ConfigError(
                f"the cache keeps what another database than {database!r} holds",
                hint="give each database a Cache with a namespace of its own",
            )
        self._owner = server, database

    def seal(self, keys: Cipher | None, encrypted: Callable[[str], bool], bound: Bound) -> None:
        """Seal results that depend on a table with an encrypted column; `access.Database(cache=…, keys=…)` does this.

        Args:
            keys: Seal them, unless the cache has a cipher of its own. Without keys nothing opens, and results hold nothing clear.
            encrypted: Returns whether a table has such a column.
            bound: Gives the encrypted fields of rows in a result what opens them.
        """
        self._seals.take(keys, encrypted, bound)

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
        if self._meter is not None:
            self._meter.publish("cache", lambda: {**msgspec.structs.asdict(self.figures), **self._reader.tallies.as_numbers()})
        return self

    async def close(self) -> None:
        """Close the connection."""
        if self._meter is not None:
            self._meter.withdraw("cache")
        self._reader.share(monotonic(), is_last=True)
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
        near: bool = False,
        stale: timedelta | str | None = None,
    ) -> RowCache[R]:
        """Return the row cache of a table.

        Args:
            table: Its name.
            row: The struct of its rows.
            key: The type of its key.
            ttl: How long a row is kept at most.
            missing_ttl: How long it is remembered that there is no row.
            near: Whether this process keeps rows in its own memory too.
            stale: For how long after it was filled others may get a row that somebody reads or writes just now, instead of
                waiting; never one that this process has written.
        """
        return RowCache(self._reader, table, row, key, Life.of(ttl, missing_ttl, is_near=near, stale=stale))

    def cached(
        self,
        *,
        tags: Tags | Callable[..., Tags],
        ttl: timedelta | str = "1m",
        name: str = "",
        stale: timedelta | str | None = None,
    ) -> Callable[[Call[T]], Call[T]]:
        """Return a decorator that keeps a function's results until a write touches one of their tags.

        Args:
            tags: Tables and `tag(…)`s that the result depends on, or one; or a function that returns them for the arguments.
            ttl: How long a result is kept at most.
            name: Names the function in the cache; its module and name when not given.
            stale: For how long after it was filled others may get a result while it is made anew; see `rows`.

        Raises:
            UsageError: The function does not say what it returns, or there are no tags.
        """
        life, always = self.life(ttl, stale), [] if callable(tags) else tags_of(tags)

        def decorate(function: Call[T]) -> Call[T]:
            results = self.results(name or f"{function.__module__}.{function.__qualname__}", _kind_of(function))

            @wraps(function)
            async def call(*given: object, **named: object) -> Any:  # noqa: ANN401 - what the function returns
                wanted = tags_of(tags(*given, **named)) if callable(tags) else always
                return await results.read(results.name(given, named), wanted, life, function, given, named)

            return call

        return decorate

    def results(self, name: str, kind: Any) -> Results:  # noqa: ANN401 - a type form
        """Return the results of one type: of a function, or of a statement.

        Args:
            name: What names them, in the cache and in its figures.
            kind: Their type; `Records` where a statement's records may hold anything.

        Raises:
            UsageError: Values of this type do not survive a cache.
        """
        return Results(self._reader, self._seals, name, kind)

    def life(self, ttl: timedelta | str, stale: timedelta | str | None = None) -> Life:
        """Return how long a result is kept at most, and for how long others may get it while it is made anew.

        Raises:
            ConfigError: One is not a duration of a millisecond or more.
        """
        life = Life.of(ttl, ttl, stale=stale)
        self._reader.stale.expect(life)
        return life

    def row(self, table: str, key: object, *, is_exact: bool = False) -> Touched:
        """Return what a write of a row touches whose other values are not known: it, its table's tag, and those of all values.

        Args:
            table: The table's name.
            key: The row's key.
            is_exact: Whether the tags of declared columns are named beside it.
        """
        namer = self._namers.get(table)
        if namer is None:
            namer = self._namers[table] = self._reader.names.rows(table)
        return Touched(table, row=namer(key), every_value=True, is_exact=is_exact)

    def change(self, *touched: Touched | Tag) -> Change:
        """Return the writes of one transaction."""
        return Change(self._reader, touched)

    async def flush(self) -> None:
        """Let nothing that is cached now be served again, and nobody fill for one `mark`.

        Raises:
            Unreachable: The server does not answer.
            CommandRefused: It refused.
        """
        await self._reader.begin_epoch(on_demand=True)


def _kind_of(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - a type form
    returned = get_type_hints(function).get("return")
    if returned is None:
        raise UsageError(f"{function.__qualname__} does not say what it returns", hint="annotate its return type")
    return returned
