"""Compiled statements of one model, kept and found again; `*_statements` write them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, select
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.access.compiled import Compiled, Expressions, compile_statement
from pgkeel.access.shape import Shape

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
    """Compiled statements of one model, found again by what makes them differ."""

    def __init__(self, shape: Shape[R], dialect: Dialect) -> None:
        """Start with none."""
        self.shape = shape
        self.dialect = dialect
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
            dialect=self.dialect,
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
