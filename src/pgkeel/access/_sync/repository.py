# Generated from pgkeel/access/_async/repository.py by tools/unasync.py; do not edit.
"""The first door: rows of one model, read as frozen structs and written one statement at a time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast, overload

import msgspec
from sqlalchemy import ColumnElement

from pgkeel.access._sync.runner import Runner
from pgkeel.access.batch import batch_of
from pgkeel.access.compiled import Compiled
from pgkeel.access.cursor import CursorCodec
from pgkeel.access.errors import Conflict, Constraint, NotFound
from pgkeel.access.ordering import Order, OrderBy, order_of, reverse
from pgkeel.access.page import Page
from pgkeel.access.statements import Statements
from pgkeel.core.errors import UsageError
from pgkeel.core.secret import Secret

__all__ = ["Keyed", "Repository"]

R_co = TypeVar("R_co", covariant=True)
K_co = TypeVar("K_co", covariant=True)
K = TypeVar("K")
T = TypeVar("T")
Condition = ColumnElement[bool] | bool
"""`Post.status == "draft"`; type checkers without SQLAlchemy's overloads see a comparison as `bool`."""
Row = Mapping[str, object] | msgspec.Struct


class Keyed(Protocol[K_co]):
    """A row with an `id`."""

    @property
    def id(self) -> K_co:
        """The key."""
        ...


class Repository(Generic[R_co]):
    """Reads and writes the rows of one model; soft-deleted rows are invisible unless asked for by `with_deleted`."""

    __slots__ = ("_get", "_orders", "_runner", "_secret", "_shape", "_statements", "_with_deleted")

    def __init__(self, runner: Runner, statements: Statements[R_co], secret: Secret, *, with_deleted: bool = False) -> None:
        """Take part in a database; `Database.repository` makes these."""
        self._runner = runner
        self._statements = statements
        self._shape = statements.shape
        self._secret = secret
        self._with_deleted = with_deleted
        self._get: Compiled[R_co] | None = None
        self._orders: dict[object, tuple[tuple[Order, ...], CursorCodec]] = {}

    def with_deleted(self) -> "Repository[R_co]":
        """Return the same repository with soft-deleted rows visible."""
        return Repository(self._runner, self._statements, self._secret, with_deleted=True)

    def get(self, key: object, /) -> R_co | None:
        """Return the row with this id, or None. A composite key is a tuple."""
        query = self._get
        if query is None:
            query = self._get = self._statements.get(self._with_deleted)
        return self._runner.one(query, self._key(key))

    def get_one(self, key: object, /) -> R_co:
        """Return the row with this id.

        Raises:
            NotFound: There is none, or it is soft-deleted.
        """
        row = self.get(key)
        if row is None:
            raise self._missing()
        return row

    def get_many(self, keys: Iterable[object], /) -> list[R_co]:
        """Return the rows with these ids in one statement, in no particular order; ids without a row are left out."""
        if len(self._shape.key) > 1:
            raise UsageError(f"{self._shape.name} has a composite key", hint="use filter(…)")
        return self._runner.all(self._statements.get_many(self._with_deleted), (list(keys),))

    def filter(self, *conditions: Condition, order_by: OrderBy | Sequence[OrderBy] = (), limit: int | None = None) -> list[R_co]:
        """Return the rows that meet all conditions (`Post.status == "draft"`), ordered, the primary key last."""
        orders, _ = self._ordering(order_by)
        query, values = self._statements.filter(orders, self._limit(limit), _conditions(conditions), self._with_deleted)
        return self._runner.all(query, values)

    def first(self, *conditions: Condition, order_by: OrderBy | Sequence[OrderBy] = ()) -> R_co | None:
        """Return the first row that meets all conditions, or None."""
        rows = self.filter(*conditions, order_by=order_by, limit=1)
        return rows[0] if rows else None

    def count(self, *conditions: Condition) -> int:
        """Return how many rows meet all conditions, counted exactly."""
        query, values = self._statements.count(_conditions(conditions), self._with_deleted)
        return self._runner.one(query, values) or 0

    def page(
        self,
        *conditions: Condition,
        order_by: OrderBy | Sequence[OrderBy] = (),
        limit: int = 50,
        after: str | None = None,
        before: str | None = None,
    ) -> Page[R_co]:
        """Return a page of rows from behind (`after`) or before (`before`) a cursor, in any mix of directions.

        A page starts at a row's place in the order, not at a number: rows that come and go elsewhere do not move it.

        Args:
            conditions: What rows must meet.
            order_by: Columns, with `.desc()` and `.nulls_first()` as needed, or names; the primary key is appended.
            limit: Rows at most.
            after: `Page.next` of the page before this one.
            before: `Page.previous` of the page behind this one.

        Raises:
            InvalidCursor: The cursor was altered, or comes from another model, ordering or key.
        """
        if after is not None and before is not None:
            raise UsageError("a page is after or before a cursor, not both", hint="pass one of them")
        orders, codec = self._ordering(order_by)
        cursor = after if before is None else before
        start = () if cursor is None else codec.read(cursor)
        is_null = None if cursor is None else tuple(value is None for value in start)
        directed = orders if before is None else reverse(orders)
        size = self._limit(limit)
        query, values = self._statements.page(directed, is_null, size + 1, _conditions(conditions), self._with_deleted, start)
        return _page(self._runner.all(query, values), size, codec, is_back=before is not None, has_start=cursor is not None)

    def search(self, text: str, *conditions: Condition, limit: int = 50) -> list[R_co]:
        """Return rows whose text matches, best first: words, "quoted phrases", `or`, `-without`.

        Raises:
            UsageError: The model has no full-text index.
        """
        query, values = self._statements.search(text, self._limit(limit), _conditions(conditions), self._with_deleted)
        return self._runner.all(query, values)

    @overload
    def aggregate(
        self, *conditions: Condition, by: Sequence[ColumnElement[Any] | Any] = (), into: Callable[..., T], **measures: object
    ) -> list[T]: ...
    @overload
    def aggregate(
        self, *conditions: Condition, by: Sequence[ColumnElement[Any] | Any] = (), into: None = None, **measures: object
    ) -> list[dict[str, Any]]: ...
    def aggregate(
        self,
        *conditions: Condition,
        by: Sequence[ColumnElement[Any] | Any] = (),
        into: Callable[..., Any] | None = None,
        **measures: object,
    ) -> list[Any]:
        """Return one item a group: `aggregate(by=[Post.status], posts=func.count(), into=StatusCount)`.

        Args:
            conditions: What rows must meet.
            by: What makes a group; nothing makes one group of all rows.
            into: Called with the groups' names and the measures' as keywords; None gives dicts.
            measures: An aggregate for each name.
        """
        query, values = self._statements.aggregate(
            by, cast("Mapping[str, ColumnElement[Any]]", measures), _conditions(conditions), self._with_deleted
        )
        names = (*(group.name for group in by), *measures)
        make = into or dict
        return [make(**dict(zip(names, record, strict=True))) for record in self._runner.all(query, values)]

    def insert(self: "Repository[Keyed[K]]", **fields: object) -> K:
        """Insert a row and return its id.

        Raises:
            AlreadyExists: Another row has a value that must be unique; `constraint` and `columns` say which.
            ForeignKeyMissing: A row that is pointed to does not exist.
            CheckFailed: A value breaks a rule of the table.
        """
        query = self._statements.insert(tuple(fields), key_only=True)
        key: K = self._write(query, tuple(fields.values()))
        return key

    def insert_row(self, **fields: object) -> R_co:
        """Insert a row and return it as the server completed it; raises what `insert` raises."""
        query = self._statements.insert(tuple(fields), key_only=False)
        row: R_co = self._write(query, tuple(fields.values()))
        return row

    def insert_many(self, rows: Iterable[Row]) -> int:
        """Insert rows by binary COPY, all or none, and return how many.

        Args:
            rows: Mappings or structs, read as a stream; all with the fields of the first.
        """
        batch = batch_of(self._shape, rows, self._runner.pool.driver.dialect)
        if batch is None:
            return 0
        doing = f"{self._shape.name}.insert_many"
        try:
            return self._runner.copy(batch.table, batch.columns, batch.types, batch.records(), doing)
        except Constraint as err:
            raise self._named(err) from None

    def insert_many_returning(self: "Repository[Keyed[K]]", rows: Iterable[Row]) -> list[K]:
        """Insert rows in one statement over arrays, all or none, and return their ids in the order of the rows.

        Args:
            rows: Mappings or structs; all with the fields of the first.
        """
        batch = batch_of(self._shape, rows, self._runner.pool.driver.dialect)
        if batch is None:
            return []
        query: Compiled[K] = self._statements.insert_many(batch.names)
        try:
            return self._runner.all(query, batch.arrays())
        except Constraint as err:
            raise self._named(err) from None

    def update(self, key: object, /, *, version: int | None, **fields: object) -> R_co:
        """Change a row that nobody else has changed since it was read, and return it as it is now.

        Args:
            key: The row's id.
            version: The `version` that was read. None for a model without one, or to overwrite whatever is there.
            fields: What changes.

        Raises:
            Conflict: The row has another version by now; `theirs` is the row, `yours` the fields.
            NotFound: There is no such row, or it is soft-deleted.
        """
        if not fields or (version is not None and self._shape.version is None):
            raise UsageError(
                f"nothing to change, or {self._shape.name} has no version", hint="pass fields; version=None without one"
            )
        names, lock = tuple(fields), (() if version is None else (version,))
        query = self._statements.update(names, versioned=version is not None, with_deleted=self._with_deleted)
        row: R_co | None = self._write(query, (*self._key(key), *fields.values(), *lock))
        if row is not None:
            return row
        theirs = None if version is None else self.get(key)
        if theirs is None:
            raise self._missing()
        raise Conflict(f"{self._shape.name}: somebody else changed the row", hint="read it again", theirs=theirs, yours=fields)

    def soft_delete(self, key: object, /) -> bool:
        """Hide a row and, as its model says, its children; False when there is none that is visible.

        Raises:
            UsageError: The model has no `deleted_at`.
        """
        self._require_soft_delete()
        return self._write(self._statements.soft_delete(), self._key(key)) is not None

    def restore(self, key: object, /) -> bool:
        """Show a hidden row again, with the status that it had and the children that went with it; False when there is none.

        Raises:
            UsageError: The model has no `deleted_at`.
        """
        self._require_soft_delete()
        return self._write(self._statements.restore(), self._key(key)) is not None

    def delete(self, key: object, /) -> bool:
        """Delete a row for good, hidden or not; False when there is none.

        Raises:
            ForeignKeyMissing: Other rows still point to it.
        """
        return self._write(self._statements.delete(), self._key(key)) is not None

    def _write(self, query: Compiled[T], values: Sequence[object]) -> Any:  # noqa: ANN401 - T; an insert always has one
        try:
            return self._runner.one(query, values)
        except Constraint as err:
            raise self._named(err) from None

    def _named(self, error: Constraint) -> Constraint:
        error.columns = error.columns or self._shape.columns_of(error.constraint)
        return error

    def _key(self, key: object) -> tuple[object, ...]:
        if len(self._shape.key) == 1:
            return (key,)
        if not isinstance(key, tuple) or len(key) != len(self._shape.key):
            names = ", ".join(column.name for column in self._shape.key)
            raise UsageError(f"the key of {self._shape.name} is ({names})", hint="pass a tuple in this order")
        return key

    def _ordering(self, order_by: OrderBy | Sequence[OrderBy]) -> tuple[tuple[Order, ...], CursorCodec]:
        orders = order_of(self._shape, order_by)
        known = self._orders.get(orders)
        if known is None:
            known = self._orders[orders] = (orders, CursorCodec(self._shape, orders, self._secret))
        return known

    def _limit(self, limit: Any) -> Any:  # noqa: ANN401 - int gives int, None gives None
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise UsageError("a limit is a whole number of at least 1", hint="limit=50")
        return limit

    def _require_soft_delete(self) -> None:
        if self._shape.deleted_at is None:
            raise UsageError(f"{self._shape.name} has no soft delete", hint="give it the SoftDeleted mixin, or use delete(…)")

    def _missing(self) -> NotFound:
        return NotFound(f"there is no {self._shape.name} with this key", hint="with_deleted() shows soft-deleted rows, too")


def _conditions(given: Iterable[Condition]) -> list[Any]:
    conditions = list(given)
    if any(isinstance(condition, bool) or not isinstance(condition, ColumnElement) for condition in conditions):
        raise UsageError("a condition is an expression of the model's columns", hint='Post.status == "draft"')
    return conditions


def _page(found: list[T], size: int, codec: CursorCodec, *, is_back: bool, has_start: bool) -> Page[T]:
    """Return a page from its rows in the direction they were read, and one more where there is one."""
    has_more = len(found) > size
    rows = found[:size]
    if is_back:
        rows.reverse()
    has_next, has_previous = (True, has_more) if is_back else (has_more, has_start)
    return Page(
        rows=tuple(rows),
        next=codec.write(rows[-1]) if rows and has_next else None,
        previous=codec.write(rows[0]) if rows and has_previous else None,
    )
