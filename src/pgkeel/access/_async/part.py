"""What every part of a repository rests on: one way to read a row by its key, and one way to write.

A cache goes in front of `_by_key`, and hears of each `_write…`, which says what keys of the model's table it touches.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy.engine import Dialect

from pgkeel.access import select_statements
from pgkeel.access._async.runner import Runner
from pgkeel.access.arguments import key_of
from pgkeel.access.batch import Batch
from pgkeel.access.compiled import Compiled
from pgkeel.access.cursor import CursorCodec
from pgkeel.access.errors import Constraint, InvalidValue, NotFound
from pgkeel.access.ordering import Order, OrderBy, order_of
from pgkeel.access.statements import Statements
from pgkeel.access.touched import Touched as Written
from pgkeel.core.errors import UsageError
from pgkeel.core.secret import Secret

__all__ = ["Part", "Touched"]

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
Touched = Iterable[tuple[object, ...]] | None
"""The keys that a write touches; None when they are not known before it: then any row of the table may change."""


class Part(Generic[R_co]):
    """A model, the statements of its repository, and the runner that carries them out."""

    __slots__ = ("_cached", "_get", "_orders", "_runner", "_secret", "_shape", "_statements", "_with_deleted")

    def __init__(self, runner: Runner, statements: Statements[R_co], secret: Secret, *, with_deleted: bool = False) -> None:
        """Take part in a database; `Database.repository` makes these."""
        self._runner = runner
        self._statements = statements
        self._shape = statements.shape
        self._secret = secret
        self._with_deleted = with_deleted
        self._get: Compiled[R_co] | None = None
        caching = runner.caching
        rows = caching.rows(statements.shape) if caching is not None else None
        self._cached = rows if runner.is_autocommit and not with_deleted else None
        self._orders: dict[object, tuple[tuple[Order, ...], CursorCodec]] = {}

    @property
    def _dialect(self) -> Dialect:
        return self._runner.pool.driver.dialect

    async def _by_key(self, key: tuple[object, ...]) -> R_co | None:
        """Return the row with this key: the one place that reads one row by its key."""
        if self._cached is None:
            return await self._stored(key)
        row: R_co | None = await self._cached.get(key if len(key) > 1 else key[0], self._load)
        return row

    async def _load(self, key: object) -> R_co | None:
        return await self._stored(key_of(self._shape, key))

    async def _stored(self, key: tuple[object, ...]) -> R_co | None:
        query = self._get
        if query is None:
            query = self._get = select_statements.get(self._statements, self._with_deleted)
        return await self._runner.one(query, key)

    async def _write(self, query: Compiled[T], values: Sequence[object], touched: Touched, *, hides: bool = False) -> Any:  # noqa: ANN401 - T or None
        """Run a statement that writes at most one row, and return what it returns; `hides`: its children may go with it."""
        try:
            if not self._runner.hooks:
                return await self._runner.one(query, values)
            return await self._runner.announced(self._written(touched, hides=hides), lambda: self._runner.one(query, values))
        except Constraint as err:
            raise self._named(err) from None

    async def _write_all(self, query: Compiled[T], values: Sequence[object], touched: Touched, *, hides: bool = False) -> list[T]:
        """Run a statement that writes rows, and return what it returns; `hides`: their children may go with them."""
        try:
            return await self._runner.announced(self._written(touched, hides=hides), lambda: self._runner.all(query, values))
        except Constraint as err:
            raise self._named(err) from None

    async def _copy(self, batch: Batch, doing: str) -> int:
        """Write new rows by COPY; it touches no row that is there."""
        try:
            return await self._runner.announced(
                self._written((), hides=False),
                lambda: self._runner.copy(batch.table, batch.columns, batch.types, batch.records(), doing),
            )
        except Constraint as err:
            raise self._named(err) from None
        except InvalidValue as err:
            err.row = batch.given - 1 if err.row is None else err.row  # the driver refused what it had read last
            raise

    def _written(self, touched: Touched, *, hides: bool) -> Written:
        written, table = Written(), self._shape.table
        if touched is None:
            written.every_row(table.fullname)
        else:
            written.table(table.fullname)
            for key in touched:
                written.row(table.fullname, *key)
        if hides:
            written.cascade(table)
        return written

    def _named(self, error: Constraint) -> Constraint:
        error.columns = error.columns or self._shape.columns_of(error.constraint)
        return error

    def _ordering(self, order_by: OrderBy | Sequence[OrderBy]) -> tuple[tuple[Order, ...], CursorCodec]:
        orders = order_of(self._shape, order_by)
        known = self._orders.get(orders)
        if known is None:
            known = self._orders[orders] = (orders, CursorCodec(self._shape, orders, self._secret))
        return known

    def _require_soft_delete(self) -> None:
        if self._shape.deleted_at is None:
            raise UsageError(f"{self._shape.name} has no soft delete", hint="give it the SoftDeleted mixin, or use delete(…)")

    def _missing(self) -> NotFound:
        return NotFound(f"there is no {self._shape.name} with this key", hint="with_deleted() shows soft-deleted rows, too")
