"""The statements of a repository, each compiled once for its model and driver."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import ARRAY, BindParameter, ColumnElement, Select, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.access.compiled import Compiled, Expressions, compile_statement
from pgkeel.access.ordering import Order, after, clause
from pgkeel.access.shape import Shape

__all__ = ["Bound", "Statements"]

R = TypeVar("R")
T = TypeVar("T")
_MOST = 1000
Bound = tuple[Compiled[T], list[object]]


def scalar(value: T) -> T:
    """Return the only column of a record."""
    return value


def record(*values: object) -> tuple[object, ...]:
    """Return a record as a tuple."""
    return values


class Statements(Generic[R]):
    """Compiled statements of one model, found again by what makes them differ."""

    def __init__(self, shape: Shape[R], dialect: Dialect) -> None:
        """Start with none."""
        self.shape = shape
        self._dialect = dialect
        self._known: dict[Any, Any] = {}

    def compiled(
        self,
        key: object,
        build: Callable[[], ClauseElement],
        names: Sequence[str],
        *,
        verb: str,
        columns: Iterable[ColumnElement[Any]] | None = None,
        into: Callable[..., T] | None = None,
    ) -> Compiled[Any]:
        """Return the statement with this key; `build` makes it the first time. Without `columns`, its records are rows."""
        known: Compiled[Any] | None = self._known.get(key)
        if known is None:
            known = self._compile(build(), names, verb, columns, into)
            self._keep(key, known)
        return known

    def filtered(
        self,
        key: tuple[object, ...],
        expressions: Iterable[ClauseElement],
        build: Callable[[list[Any]], ClauseElement],
        *,
        verb: str,
        named: Mapping[str, object] | None = None,
        columns: Callable[[list[Any]], Iterable[ColumnElement[Any]]] | None = None,
        into: Callable[..., T] | None = None,
    ) -> "Bound[Any]":
        """Return the statement for a caller's expressions and its values; equal shapes share one statement."""
        given = Expressions(expressions)
        names = dict(named or {})
        full = (key, given.key)
        known: Compiled[Any] | None = None if given.key is None else self._known.get(full)
        if known is None:
            fixed, replaced = given.fixed()
            parameters: list[str | BindParameter[Any]] = [replaced.get(each, each) for each in given.parameters]
            chosen = None if columns is None else columns(fixed)
            known = self._compile(build(fixed), [*names, *parameters], verb, chosen, into)
            if given.key is not None:
                self._keep(full, known)
        return known, [*names.values(), *given.values()]

    def _compile(
        self,
        statement: ClauseElement,
        names: Sequence[str | BindParameter[Any]],
        verb: str,
        columns: Iterable[ColumnElement[Any]] | None,
        into: Callable[..., Any] | None,
    ) -> Compiled[Any]:
        return compile_statement(
            statement,
            names,
            columns=self.shape.columns if columns is None else columns,
            into=into or self.shape.row,
            dialect=self._dialect,
            doing=f"{self.shape.name}.{verb}",
        )

    def _keep(self, key: object, statement: Compiled[Any]) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = statement

    def scope(self, with_deleted: bool) -> list[ColumnElement[bool]]:
        """Return the condition that hides soft-deleted rows, where there is one."""
        deleted_at = self.shape.deleted_at
        return [] if with_deleted or deleted_at is None else [deleted_at.is_(None)]

    def by_key(self) -> list[ColumnElement[bool]]:
        """Return `key = $n` for each column of the key."""
        return [column == bindparam(f"key_{place}", type_=column.type) for place, column in enumerate(self.shape.key)]

    def key_names(self) -> list[str]:
        """Return the parameters of `by_key`."""
        return [f"key_{place}" for place in range(len(self.shape.key))]

    def rows(self, conditions: Iterable[ColumnElement[bool]]) -> Select[Any]:
        """Return `SELECT row FROM table WHERE conditions`."""
        return select(*self.shape.columns).select_from(self.shape.table).where(*conditions)

    def get(self, with_deleted: bool) -> Compiled[R]:
        """One row by its key."""
        return self.compiled(
            ("get", with_deleted),
            lambda: self.rows([*self.by_key(), *self.scope(with_deleted)]),
            self.key_names(),
            verb="get",
        )

    def get_many(self, with_deleted: bool) -> Compiled[R]:
        """Rows by an array of keys."""
        key = self.shape.key[0]
        keys = bindparam("keys", type_=ARRAY(key.type))
        return self.compiled(
            ("get_many", with_deleted),
            lambda: self.rows([key == func.any(keys), *self.scope(with_deleted)]),
            ["keys"],
            verb="get_many",
        )

    def page(
        self,
        orders: tuple[Order, ...],
        is_null: tuple[bool, ...] | None,
        limit: int,
        conditions: Sequence[ColumnElement[bool]],
        with_deleted: bool,
        start: Sequence[object],
    ) -> "Bound[R]":
        """Return rows in an order, from behind a row on, and one more than asked for."""
        named: dict[str, object] = {f"after_{place}": value for place, value in enumerate(start)} | {"rows": limit}

        def build(fixed: list[Any]) -> ClauseElement:
            behind = [] if is_null is None else [after(self.shape, orders, is_null)]
            chosen = self.rows([*fixed, *self.scope(with_deleted), *behind])
            ordered = chosen.order_by(*(clause(self.shape, order) for order in orders))
            return ordered.limit(bindparam("rows"))

        return self.filtered(("page", orders, is_null, with_deleted), conditions, build, verb="page", named=named)

    def filter(
        self, orders: tuple[Order, ...], limit: int | None, conditions: Sequence[ColumnElement[bool]], with_deleted: bool
    ) -> "Bound[R]":
        """Return the rows that meet all conditions."""

        def build(fixed: list[Any]) -> ClauseElement:
            chosen = self.rows([*fixed, *self.scope(with_deleted)]).order_by(*(clause(self.shape, order) for order in orders))
            return chosen if limit is None else chosen.limit(bindparam("rows"))

        named = {} if limit is None else {"rows": limit}
        return self.filtered(("filter", orders, limit is None, with_deleted), conditions, build, verb="filter", named=named)

    def search(self, text: str, limit: int, conditions: Sequence[ColumnElement[bool]], with_deleted: bool) -> "Bound[R]":
        """Return rows whose text matches, best first, through the model's index expression."""

        def build(fixed: list[Any]) -> ClauseElement:
            vector = self.shape.search_vector()
            query = func.websearch_to_tsquery(self.shape.search_language(), bindparam("text"))
            chosen = self.rows([vector.op("@@")(query), *fixed, *self.scope(with_deleted)])
            ranked = chosen.order_by(func.ts_rank(vector, query).desc(), *self.shape.primary)
            return ranked.limit(bindparam("rows"))

        return self.filtered(("search", with_deleted), conditions, build, verb="search", named={"text": text, "rows": limit})

    def aggregate(
        self,
        by: Sequence[ColumnElement[Any]],
        measures: Mapping[str, ColumnElement[Any]],
        conditions: Sequence[ColumnElement[bool]],
        with_deleted: bool,
    ) -> "Bound[tuple[object, ...]]":
        """Return one record a group: the group's values, then the measures; ordered by the group."""
        groups, width = len(by), len(by) + len(measures)

        def build(fixed: list[Any]) -> ClauseElement:
            labelled = [each.label(name) for name, each in zip(measures, fixed[groups:width], strict=True)]
            chosen = select(*fixed[:groups], *labelled).select_from(self.shape.table)
            kept = chosen.where(*fixed[width:], *self.scope(with_deleted))
            return kept.group_by(*fixed[:groups]).order_by(*fixed[:groups])

        return self.filtered(
            ("aggregate", groups, tuple(measures), with_deleted),
            [*by, *measures.values(), *conditions],
            build,
            verb="aggregate",
            columns=lambda fixed: fixed[:width],
            into=record,
        )

    def count(self, conditions: Sequence[ColumnElement[bool]], with_deleted: bool) -> "Bound[int]":
        """Return how many rows meet all conditions."""
        counted = func.count()
        return self.filtered(
            ("count", with_deleted),
            conditions,
            lambda fixed: select(counted).select_from(self.shape.table).where(*fixed, *self.scope(with_deleted)),
            verb="count",
            columns=lambda _: [counted],
            into=scalar,
        )

    def insert(self, names: tuple[str, ...], *, key_only: bool) -> Compiled[Any]:
        """Insert one row; returns its key or the whole row as the server completed it."""
        columns = [self.shape.column(name) for name in names]
        result = self.shape.key[:1] if key_only else self.shape.columns

        def build() -> ClauseElement:
            values = {column: bindparam(f"value_{place}", type_=column.type) for place, column in enumerate(columns)}
            return insert(self.shape.table).values(values).returning(*result)

        return self.compiled(
            ("insert", names, key_only),
            build,
            [f"value_{place}" for place in range(len(names))],
            verb="insert",
            columns=result,
            into=scalar if key_only else None,
        )

    def insert_many(self, names: tuple[str, ...]) -> Compiled[Any]:
        """Insert arrays of column values in one statement; returns the keys in their order."""
        columns = [self.shape.column(name) for name in names]
        arrays = [bindparam(f"values_{place}", type_=ARRAY(column.type)) for place, column in enumerate(columns)]

        def build() -> ClauseElement:
            unnested = func.unnest(*arrays).table_valued(*(column.name for column in columns), with_ordinality="position")
            given = unnested.render_derived(name="given")
            picked = select(*(given.c[column.name] for column in columns)).order_by(given.c.position)
            target = insert(self.shape.table).from_select(columns, picked, include_defaults=False)
            return target.returning(*self.shape.key[:1])

        return self.compiled(
            ("insert_many", names),
            build,
            [f"values_{place}" for place in range(len(names))],
            verb="insert_many",
            columns=self.shape.key[:1],
            into=scalar,
        )

    def update(self, names: tuple[str, ...], *, versioned: bool, with_deleted: bool) -> Compiled[R]:
        """Update one row by its key, and its version where one is given; returns the new row, or nothing."""
        columns = [self.shape.column(name) for name in names]

        def build() -> ClauseElement:
            values = {column: bindparam(f"value_{place}", type_=column.type) for place, column in enumerate(columns)}
            lock = [] if not versioned or self.shape.version is None else [self.shape.version == bindparam("version")]
            where = and_(*self.by_key(), *lock, *self.scope(with_deleted))
            return update(self.shape.table).where(where).values(values).returning(*self.shape.columns)

        names_of_values = [f"value_{place}" for place in range(len(names))]
        parameters = [*self.key_names(), *names_of_values, *(["version"] if versioned else [])]
        return self.compiled(("update", names, versioned, with_deleted), build, parameters, verb="update")

    def soft_delete(self) -> Compiled[R]:
        """Hide one row that is not hidden; returns it, or nothing."""
        shape = self.shape

        def build() -> ClauseElement:
            assert shape.deleted_at is not None  # noqa: S101 - the repository asks only then
            values: dict[Any, Any] = {shape.deleted_at: func.clock_timestamp()}
            if shape.deleted_status is not None:
                values[shape.table.c.status] = shape.deleted_status
            where = and_(*self.by_key(), shape.deleted_at.is_(None))
            return update(shape.table).where(where).values(values).returning(*shape.columns)

        return self.compiled(("soft_delete",), build, self.key_names(), verb="soft_delete")

    def restore(self) -> Compiled[R]:
        """Show one hidden row again; a trigger gives it the status that it had. Returns it, or nothing."""
        shape = self.shape

        def build() -> ClauseElement:
            assert shape.deleted_at is not None  # noqa: S101 - the repository asks only then
            where = and_(*self.by_key(), shape.deleted_at.is_not(None))
            return update(shape.table).where(where).values({shape.deleted_at: None}).returning(*shape.columns)

        return self.compiled(("restore",), build, self.key_names(), verb="restore")

    def delete(self) -> Compiled[R]:
        """Delete one row for good; returns it, or nothing."""
        return self.compiled(
            ("delete",),
            lambda: delete(self.shape.table).where(*self.by_key()).returning(*self.shape.columns),
            self.key_names(),
            verb="delete",
        )
