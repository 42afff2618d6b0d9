"""Compiled statements of one model, kept and found again; `*_statements` write them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import BindParameter, ColumnElement, FromClause, Select, bindparam, select
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.access.compiled import Compiled, Expressions, compile_statement, has_text
from pgkeel.access.cursor import CursorCodec
from pgkeel.access.ordering import Order, order_of
from pgkeel.access.shape import Shape
from pgkeel.core.errors import UsageError

__all__ = ["Bound", "Statements", "record", "scalar"]

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
    """Compiled statements of one model, found again by what makes them differ.

    Attributes:
        shape: The model.
        dialect: The driver's.
        result: The columns of a row, as they are selected.
        into: What a record of them becomes.
        source: What they are selected from.
        seen: Indexes that were looked for in the database already.
        primary: The ordering by the primary key.
        cursors: Ordering → what writes and reads its cursors; they are signed by the secret of the handle that these belong to.
    """

    def __init__(self, shape: Shape[R], dialect: Dialect) -> None:
        """Start with none."""
        self.shape = shape
        self.dialect = dialect
        self.result: tuple[ColumnElement[Any], ...] = shape.columns
        self.into: Callable[..., Any] = shape.row
        self.source: FromClause = shape.table
        self.seen: set[str] = set()
        self.primary = order_of(shape, ())
        self.cursors: dict[tuple[Order, ...], CursorCodec] = {}
        self._known: dict[Any, Any] = {}
        self._gatherers: dict[bool, object] = {}

    def known(self, key: object) -> Compiled[Any] | None:
        """Return the statement with this key where it has been compiled."""
        found: Compiled[Any] | None = self._known.get(key)
        return found

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
            statement = build(fixed)
            self._refuse_product(statement)
            known = self._compile(statement, [*names, *parameters], verb, chosen, into)
            known.has_text = has_text(given.expressions)
            if given.key is not None:
                self._keep(full, known)
        return known, [*names.values(), *given.values()]

    def _refuse_product(self, statement: ClauseElement) -> None:
        """Refuse a condition on another model's columns, which would pair each row with all rows there."""
        sources = statement.get_final_froms() if isinstance(statement, Select) else []
        if len(sources) > 1:
            raise UsageError(
                f"{self.shape.name} is filtered by columns of another table", hint="Post.user.has(User.status == 'active')"
            )

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
            columns=self.result if columns is None else columns,
            into=into or self.into,
            dialect=self.dialect,
            doing=f"{self.shape.name}.{verb}",
        )

    def _keep(self, key: object, statement: object) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = statement

    def gatherer(self, make: Callable[[], T], with_deleted: bool) -> T | None:
        """Return what joins reads by key: one for all repositories of the model; None when the key is no single plain value."""
        if self.shape.key_type is None:
            return None
        known = self._gatherers.get(with_deleted)
        if known is None:
            known = self._gatherers.setdefault(with_deleted, make())
        return cast("T", known)

    def joined(self, relations: Sequence[Any], make: Callable[["Statements[R]", Sequence[Any]], T]) -> T:
        """Return the statements that read relations, too, made once for each choice of them."""
        key = ("joined", *(relation.attribute.key for relation in relations))
        if key not in self._known:
            self._keep(key, make(self, relations))
        return cast("T", self._known[key])

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
        return select(*self.result).select_from(self.source).where(*conditions)
