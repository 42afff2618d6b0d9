# Generated from pgkeel/access/_async/caching.py by tools/unasync.py; do not edit.
"""A cache bound to a database handle: reads through it, every write announced to it, its epoch in the database."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from pgkeel.access._sync.runner import Runner
from pgkeel.access.compiled import Compiled
from pgkeel.access.errors import StatementFailed
from pgkeel.access.own_sql import own
from pgkeel.access.sealing import bound_rows
from pgkeel.access.shape import Shape
from pgkeel.access.tagging import tagged_columns
from pgkeel.access.touched import Touched as Written
from pgkeel.cache._sync.cache import Cache
from pgkeel.cache._sync.change import Change
from pgkeel.cache._sync.results import Results
from pgkeel.cache._sync.rows import RowCache
from pgkeel.cache.life import Life
from pgkeel.cache.names import Tag
from pgkeel.cache.records import Records
from pgkeel.cache.touched import EVERYTHING, Touched, table_of, tags_of
from pgkeel.core.cipher import Cipher
from pgkeel.core.clock import monotonic
from pgkeel.core.errors import ConfigError, UsageError
from pgkeel.schema.encrypted import has_encrypted

__all__ = ["Caching"]

_FORGET_AFTER = 600.0
_IN_RECOVERY = "55000"  # object_not_in_prerequisite_state: a standby has no place in the WAL of its own
_NONE = frozenset[str]()


class Caching:
    """The cache of one handle. It is a hook, and the cache's ledger."""

    def __init__(self, cache: Cache) -> None:
        """Take an open cache."""
        self.cache = cache
        self._runner: Runner | None = None
        self._rows: dict[str, RowCache[Any]] = {}
        self._keys: dict[str, Any] = {}
        self._keys_of_fields: Cipher | None = None
        self._database = ""
        self._results: dict[str, Results] = {}
        self._open: dict[int, tuple[Written, Change, float]] = {}

    def on(self, runner: Runner, keys: Cipher | None, database: str) -> None:
        """Be the cache of this database; it is not asked yet."""
        self._runner = runner
        self._keys_of_fields = keys
        self._database = database

    def open(self) -> None:
        """Bind the cache, once the database has told its epoch: the cache asks it from now on, and seals results by its keys.

        Raises:
            ConfigError: It has no ledger, is a standby, or the cache is another database's.
        """
        try:
            server, _, _ = (self.epoch()).partition(":")
        except StatementFailed as err:
            if err.sqlstate == _IN_RECOVERY:
                raise ConfigError(
                    "the database is a standby, and what it says may be old", hint="bind the cache to the primary"
                ) from err
            raise ConfigError(
                "the database does not know pgkeel.cache_epoch(), or refuses it", hint="apply our migrations: `pgkeel migrate up`"
            ) from err
        self.cache.belong_to(server, self._database)
        self.cache.bind(self)
        self.cache.seal(self._keys_of_fields, has_encrypted, bound_rows)

    def rows(self, shape: Shape[Any]) -> RowCache[Any] | None:
        """Return the row cache of a model; None where the model does not ask for one."""
        table = shape.table.fullname
        self._keys.setdefault(table, _key_type(shape))
        if shape.cache is None:
            return None
        known = self._rows.get(table)
        if known is None:
            self.cache.declared.declare(table, tagged_columns(shape))
            said = shape.cache
            known = self._rows[table] = self.cache.rows(
                table,
                shape.row,
                key=self._keys[table],
                ttl=said.ttl,
                missing_ttl=said.missing_ttl,
                near=said.near,
                stale=getattr(said, "stale", None),
            )
        return known

    def results(
        self, ttl: timedelta | str, stale: timedelta | str | None, tags: Iterable[Tag | str] | Tag | str
    ) -> "ResultCache":
        """Return what keeps the results of statements for so long.

        Raises:
            ConfigError: One is not a duration of a millisecond or more.
            UsageError: One is not a tag.
        """
        return ResultCache(self, self.cache.life(ttl, stale), [] if tags in ((), []) else tags_of(tags))

    def results_of(self, query: Compiled[Any]) -> Results:
        """Return the results of a statement and of those that do the same."""
        known = self._results.get(query.doing)
        if known is None:
            known = self._results[query.doing] = self.cache.results(query.doing, Records)
        return known

    @property
    def driver(self) -> str:
        """Who makes the records: the same value may come from others in another type."""
        assert self._runner is not None  # noqa: S101 - bound before anything is read
        return self._runner.pool.driver.name

    def epoch(self) -> str:
        """Return the database's epoch."""
        assert self._runner is not None  # noqa: S101 - bound before it is asked
        return (self._runner.sql(own("cache_epoch").text, (), str))[0]

    def dirty(self) -> None:
        """Begin another epoch in the database."""
        assert self._runner is not None  # noqa: S101 - as above
        self._runner.sql(own("cache_dirty").text, (), int)

    def before_commit(self, touched: Written) -> None:
        """Announce what is about to be committed.

        Raises:
            Unreachable: The cache does not answer, and `on_outage` is "closed".
        """
        begun, agreed = monotonic(), _NONE
        if touched.values:
            heard = self.cache.declared.heard
            is_known = begun < heard.until and touched.values.keys() <= heard.agreed
            agreed = heard.agreed if is_known else self._agreed(touched)
        change = self.cache.change(*self._all_of(touched, agreed))
        change.mark()
        self._forget_old()
        self._open[id(touched)] = touched, change, begun

    def after_commit(self, touched: Written) -> None:
        """Take the announcement back; by now, what others declare may not be what it was, where that took long."""
        _, change, begun = self._open.pop(id(touched))
        is_late = touched.values and monotonic() - begun > self.cache.mark
        change.release(*(self._of_all_values(touched) if is_late else ()))

    def after_rollback(self, touched: Written) -> None:
        """Take the announcement back."""
        found = self._open.pop(id(touched), None)
        if found is not None:
            found[1].release()

    def _forget_old(self) -> None:
        """Let go of writes of which nobody knows how they ended; their marks end by themselves."""
        if len(self._open) > 1:
            oldest = next(iter(self._open))
            if self._open[oldest][2] < monotonic() - _FORGET_AFTER:
                del self._open[oldest]

    def _agreed(self, written: Written) -> frozenset[str]:
        """Return the tables of which nobody declares a column that this process does not."""
        declared = self.cache.declared
        for table, values in written.values.items():
            if table not in declared.columns:  # of a unit of work, and nobody asked for its repository
                declared.declare(table, {column for column, _ in values})
        return (declared.now()).agreed

    def _is_exact(self, table: str, written: Written) -> bool:
        """Return whether the values of all declared columns are named; another model of the table may name others."""
        columns = self.cache.declared.columns.get(table)
        return table not in written.vague and columns is not None and columns <= {one for one, _ in written.values[table]}

    def _of_all_values(self, written: Written) -> list[Touched]:
        return [Touched(table, every_value=True) for table in written.values]

    def _all_of(self, written: Written, agreed: frozenset[str]) -> list[Touched | Tag]:
        if written.is_unknown:
            return [EVERYTHING, *(Touched(table, every_row=True) for table in written.tables)]
        found: list[Touched | Tag] = [Touched(table, every_row=True) for table in written.whole]
        for table in written.tables - written.whole:
            keys, is_exact = written.rows.get(table), table in agreed and self._is_exact(table, written)
            if keys:
                found += [self._row(table, key, is_exact=is_exact) for key in keys]
            else:
                found.append(Touched(table, every_value=True, is_exact=is_exact))
            found += [Tag(table, (pair,)) for pair in written.values.get(table, ())] if is_exact else []
        return found

    def _row(self, table: str, key: tuple[object, ...], *, is_exact: bool) -> Touched:
        wanted: Any = key if len(key) > 1 else key[0]
        if table in self._keys:
            wanted = msgspec.convert(wanted, self._keys[table], strict=False)
        return self.cache.row(table, wanted, is_exact=is_exact)


class ResultCache:
    """Keeps what statements return, each text with its values, until a write touches a table that stands in it."""

    __slots__ = ("_caching", "_life", "_narrowed", "_tags")

    def __init__(self, caching: Caching, life: Life, tags: list[Tag | str]) -> None:
        """Keep for so long; tags stand instead of their tables."""
        self._caching = caching
        self._life = life
        self._tags = tags
        self._narrowed = frozenset(map(table_of, tags))

    def records(self, query: Compiled[Any], values: Sequence[object], load: Callable[[], Records]) -> Records:
        """Return the records of a statement from the cache, else from `load`.

        Raises:
            UsageError: There is text in it, and nothing is said of the tables that it reads; or a value names nothing.
        """
        if query.has_text and not self._tags:
            raise UsageError(
                f"{query.doing}: which tables your text reads cannot be seen, so that no write would end what is kept",
                hint='name them: cached(tags=["posts", "users"])',
            )
        results = self._caching.results_of(query)
        name = results.name((self._caching.driver, query.sql, query.said(values)))
        found: Records = results.read(name, [*self._tags, *sorted(query.tables - self._narrowed)], self._life, load)
        return found


def _key_type(shape: Shape[Any]) -> Any:  # noqa: ANN401 - a type form
    kinds = tuple(column.type.python_type for column in shape.key)
    return kinds[0] if len(kinds) == 1 else tuple.__class_getitem__(kinds)
