"""What every part of a repository rests on: one way to read a row by its key, and one way to write.

A cache of rows goes in front of `_by_key`, one of results in front of the runner; each write says which rows it touches to
`Runner.announced`, and so to both.
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy.engine import Dialect

from pgkeel.access import select_statements
from pgkeel.access._async.runner import Runner
from pgkeel.access._colour.asynchronous import Gatherer
from pgkeel.access.actor import current_actor
from pgkeel.access.batch import Batch, RowsBroke
from pgkeel.access.compiled import Compiled
from pgkeel.access.cursor import CursorCodec
from pgkeel.access.errors import Constraint, InvalidValue, NotFound
from pgkeel.access.ordering import Order, OrderBy, order_of
from pgkeel.access.sealing import bound_row
from pgkeel.access.statements import Statements
from pgkeel.access.tagging import Value, values_of_fields
from pgkeel.access.touched import Touched
from pgkeel.core.errors import UsageError
from pgkeel.core.secret import Secret

if TYPE_CHECKING:
    from pgkeel.cache._async.rows import RowCache

__all__ = ["Keys", "Part"]

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
Keys = Collection[tuple[object, ...]] | None
"""The keys of the rows that a write touches; None when they are not known before it: then any row of the table may change."""


class Part(Generic[R_co]):
    """A model, the statements of its repository, and the runner that carries them out."""

    __slots__ = (
        "_alone",
        "_cached",
        "_gatherer",
        "_get",
        "_key_type",
        "_runner",
        "_secret",
        "_shape",
        "_statements",
        "_with_deleted",
    )

    def __init__(self, runner: Runner, statements: Statements[R_co], secret: Secret, *, with_deleted: bool = False) -> None:
        """Take part in a database; `Database.repository` makes these."""
        self._runner = runner
        self._statements = statements
        self._shape = statements.shape
        self._secret = secret
        self._with_deleted = with_deleted
        self._get: Compiled[R_co] | None = None
        rows = runner.caching.rows(statements.shape) if runner.caching is not None else None
        self._cached = rows if runner.is_autocommit and not with_deleted else None
        gatherer: Gatherer[Any] | None = statements.gatherer(Gatherer, with_deleted) if runner.is_autocommit else None
        self._gatherer = gatherer
        self._alone = self._gatherer if Gatherer.gathers and self._cached is None else None
        self._key_type = self._shape.key_type or object

    @property
    def _dialect(self) -> Dialect:
        return self._runner.pool.driver.dialect

    async def _fetch(self, query: Compiled[R_co], values: Sequence[object]) -> list[R_co]:
        """Return the rows of a statement."""
        return await self._runner.all(query, values)

    def _by_key(self, key: tuple[object, ...]) -> Awaitable[R_co | None]:
        """Return the row with this key: the one place that reads one row by its key."""
        return self._stored(key) if self._cached is None else self._through(self._cached, key)

    async def _through(self, cached: "RowCache[Any]", key: tuple[object, ...]) -> R_co | None:
        row: R_co | None = await cached.get(key if len(key) > 1 else key[0], self._load)
        return bound_row(self._shape, row, self._dialect) if self._shape.encrypted else row

    async def _load(self, key: object) -> R_co | None:
        return await self._stored(key if isinstance(key, tuple) else (key,))

    def _stored(self, key: tuple[object, ...]) -> Awaitable[R_co | None]:
        gatherer = self._gatherer
        if gatherer is None or not isinstance(key[0], self._key_type):
            return self._read_one(key)
        return gatherer.read(key, self._by_its_key(), self._read_one, self._read_many)

    def _by_its_key(self) -> Compiled[R_co]:
        query = self._get
        if query is None:
            query = self._get = select_statements.get(self._statements, self._with_deleted)
        return query

    def _read_one(self, key: tuple[object, ...]) -> Awaitable[R_co | None]:
        return self._runner.one(self._get or self._by_its_key(), key)

    async def _read_many(self, keys: list[tuple[object, ...]]) -> Mapping[tuple[object, ...], R_co]:
        query = select_statements.get_many(self._statements, self._with_deleted)
        rows = await self._fetch(query, ([key for (key,) in keys],))
        return {self._shape.key_of(self._own_row(row)): row for row in rows}

    def _own_row(self, row: Any) -> object:  # noqa: ANN401 - a row, with what was included
        """Return the model's own row of an answer."""
        return row

    async def _write(
        self,
        query: Compiled[Any],
        values: Sequence[object],
        keys: Keys,
        *,
        spreads: bool = False,
        fields: Mapping[str, object] | None = None,
    ) -> Any:  # noqa: ANN401 - a row, or None
        """Run a statement that writes at most one row, and return what it returns.

        Args:
            query: The statement.
            values: Its values.
            keys: Which rows that are there it touches.
            spreads: Whether triggers and foreign keys may carry it on to other tables.
            fields: All that is given of a new row.
        """
        query, values = self._signed(query, values)
        try:
            if not self._runner.hooks:
                return await self._runner.one(query, values)
            values_of_row = None if fields is None else values_of_fields(self._shape, fields)
            touched = self._touched(keys, spreads=spreads, tagged=values_of_row)
            return await self._runner.announced(touched, lambda: self._runner.one(query, values))
        except Constraint as err:
            raise self._named(err) from None

    async def _write_all(
        self,
        query: Compiled[T],
        batches: Sequence[Sequence[object]],
        keys: Keys,
        *,
        spreads: bool = False,
        tagged: Collection[Value] | None = None,
    ) -> list[T]:
        """Run a statement that writes rows for each batch of values; as `_write`, with the tagged values of new rows."""
        signed = [self._signed(query, values) for values in batches]
        touched, given = self._touched(keys, spreads=spreads, tagged=tagged), [values for _, values in signed]
        try:
            return await self._runner.announced(touched, lambda: self._runner.batches(signed[0][0], given))
        except Constraint as err:
            raise self._named(err) from None

    def _signed(self, query: Compiled[T], values: Sequence[object]) -> tuple[Compiled[T], Sequence[object]]:
        """Return a write with its actor; a unit of work has told its own when it began."""
        actor = current_actor() if self._runner.is_autocommit else None
        return (query, values) if actor is None else (query.signed(), (*values, actor))

    async def _copy(self, batch: Batch, doing: str) -> int:
        """Write new rows by COPY; it touches no row that is there."""
        place = (batch.table, batch.columns, batch.types)
        touched = self._touched((), spreads=False)
        try:
            return await self._runner.announced(touched, lambda: self._runner.copy(*place, batch.guarded(), doing))
        except RowsBroke as err:
            raise err.reason from None
        except Constraint as err:
            raise self._named(err) from None
        except InvalidValue as err:
            err.row = batch.given - 1 if err.row is None else err.row  # the driver refused what it had read last
            raise

    def _touched(self, keys: Keys, *, spreads: bool, tagged: Collection[Value] | None = None) -> Touched:
        """Return what a write says of itself to those who keep copies of rows."""
        touched, table = Touched(), self._shape.table.fullname
        if keys is None or (keys and self._shape.key != self._shape.primary):
            touched.every_row(table)
        else:
            touched.table(table, values=tagged)
            for key in keys:
                touched.row(table, *key)
        for other in self._shape.dependents if spreads else ():
            touched.every_row(other)
        return touched

    def _named(self, error: Constraint) -> Constraint:
        error.columns = error.columns or self._shape.columns_of(error.constraint)
        return error

    def _ordering(self, order_by: OrderBy | Sequence[OrderBy]) -> tuple[tuple[Order, ...], CursorCodec]:
        is_primary = isinstance(order_by, tuple) and not order_by
        orders = self._statements.primary if is_primary else order_of(self._shape, order_by)
        cursors = self._statements.cursors
        codec = cursors.get(orders)
        if codec is None:
            codec = cursors[orders] = CursorCodec(self._shape, orders, self._secret)
        return orders, codec

    def _require_soft_delete(self) -> None:
        if self._shape.deleted_at is None:
            raise UsageError(f"{self._shape.name} has no soft delete", hint="give it the SoftDeleted mixin, or use delete(…)")

    def _missing(self) -> NotFound:
        return NotFound(f"there is no {self._shape.name} with this key", hint="with_deleted() shows soft-deleted rows, too")
