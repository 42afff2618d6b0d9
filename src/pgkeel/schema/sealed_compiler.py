"""Refuse, where a statement is compiled, whatever would compare, order or transform ciphertext: its answer would be wrong.

What only asks whether there is a value (`IS NULL`, `count`) or whether it was written (`IS DISTINCT FROM` another column) passes.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BinaryExpression, ClauseElement, TextClause, UnaryExpression, _textual_label_reference
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import CompoundSelect, SelectBase, _CompoundSelectKeyword

from pgkeel.schema.sealed_type import EncryptedType, NotSealed, NotSearchable, encrypted_columns, row_key

__all__ = ["guard"]

_HARMLESS = {operators.is_, operators.is_not, operators.is_distinct_from, operators.is_not_distinct_from}


def guard(dialect: Dialect) -> None:
    """Let the statements of a dialect be refused with `NotSearchable` where they would work on ciphertext."""
    compiler: Any = dialect.statement_compiler
    if not issubclass(compiler, _Guard):
        dialect.statement_compiler = type(compiler.__name__, (_Guard, compiler), {})


class _Guard(SQLCompiler):
    """A compiler that looks at what it is about to write."""

    def visit_function(self, func: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        if not _counts(func):
            _refuse(func.clauses.get_children(), "a function would see its ciphertext", "open the value, then call it in Python")
        return super().visit_function(func, *rest, **named)

    def visit_cast(self, cast: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        _refuse([cast.clause], "a cast would see its ciphertext", "open the value, then convert it in Python")
        return super().visit_cast(cast, **named)  # type: ignore[no-untyped-call]

    def visit_over(self, over: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        _refuse([over.partition_by, over.order_by], *_ORDERED)
        return super().visit_over(over, **named)  # type: ignore[no-untyped-call]

    def visit_case(self, clause: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        _refuse([clause.value], *_COMPARED)
        return super().visit_case(clause, **named)  # type: ignore[no-untyped-call]

    def visit_unary(self, unary: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        if unary.operator is operators.distinct_op:
            _refuse([unary.element], *_COMPARED)
        return super().visit_unary(unary, *rest, **named)  # type: ignore[no-untyped-call]

    def visit_binary(self, binary: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        if binary.operator not in _HARMLESS:
            _refuse([binary.left, binary.right], *_COMPARED)
        return super().visit_binary(binary, *rest, **named)  # type: ignore[no-untyped-call]

    def visit_update(self, update_stmt: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        _refuse_unbound(update_stmt)
        return super().visit_update(update_stmt, *rest, **named)

    def visit_insert(self, insert_stmt: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        _refuse_copies(insert_stmt)
        return super().visit_insert(insert_stmt, *rest, **named)  # type: ignore[no-untyped-call]

    def visit_compound_select(self, cs: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        if cs.keyword is not _CompoundSelectKeyword.UNION_ALL:
            _refuse_set([tuple(select.selected_columns) for select in _parts(cs)])
        return super().visit_compound_select(cs, *rest, **named)  # type: ignore[no-untyped-call]

    def group_by_clause(self, select: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        _refuse(_named(select, select._group_by_clauses), *_GROUPED)  # noqa: SLF001 - its only place
        return super().group_by_clause(select, **named)  # type: ignore[no-untyped-call]

    def order_by_clause(self, select: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        _refuse(_named(select, select._order_by_clauses), *_ORDERED)  # noqa: SLF001 - its only place
        return super().order_by_clause(select, **named)  # type: ignore[no-untyped-call]

    def visit_postgresql_distinct_on(self, element: Any, **named: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's
        _refuse(element.get_children(), *_GROUPED)
        return super().visit_postgresql_distinct_on(element, **named)  # type: ignore[misc]

    def get_select_precolumns(self, select: Any, **named: Any) -> str:  # noqa: ANN401 - SQLAlchemy's
        if select._distinct and select._pre_columns_clause is None:  # noqa: SLF001 - its only place
            _refuse_distinct(tuple(select.selected_columns))
        return super().get_select_precolumns(select, **named)


_ORDERED = ("it has no order", "order by another column")
_GROUPED = ("equal values differ there", "group by another column")
_BY_OBJECT = "read the rows in a unit of work and change the objects: their values are sealed anew"
_COMPARED = ("equal values differ there", "compare the column with texts: == or in_")


def _refuse_unbound(statement: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Refuse an UPDATE after which values would not open: rows with another id, or what another column or row holds."""
    table = statement.table
    sealed = encrypted_columns(table) if isinstance(table, Table) else ()
    values = {str(getattr(key, "name", key)): value for key, value in (statement._values or {}).items()}  # noqa: SLF001 - its only place
    if not sealed or not values:
        return
    for column in sealed:
        if _is_stored(values.get(column.name)) and not _is_same(values[column.name], column):
            raise NotSealed(f"{table.name}.{column.name} would get what does not open there", hint=_BY_OBJECT)
    if row_key(table).name in values and not {column.name for column in sealed} <= values.keys():
        message = f"{table.name}.{row_key(table).name} would change, and the encrypted values are bound to it"
        raise NotSealed(message, hint=_BY_OBJECT)


def _refuse_copies(statement: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
    """Refuse an INSERT of what other rows hold sealed: it would not open."""
    if isinstance(statement.select, SelectBase) and isinstance(statement.table, Table):
        given = zip(statement._select_names or (), statement.select.selected_columns, strict=False)  # noqa: SLF001 - its only place
        names = {column.name for column in encrypted_columns(statement.table)}
        for name, column in given:
            if name in names and _is_stored(column):
                raise NotSealed(f"{statement.table.name}.{name} would get what does not open there", hint=_BY_OBJECT)


def _is_stored(value: Any) -> bool:  # noqa: ANN401 - what a statement writes
    """Return whether it is the encrypted column of a table."""
    return isinstance(getattr(value, "type", None), EncryptedType) and isinstance(_table_of(value), Table)


def _is_same(value: Any, column: Any) -> bool:  # noqa: ANN401 - columns
    return value.name == column.name and getattr(value, "table", None) is column.table


def _table_of(column: Any) -> Any:  # noqa: ANN401 - a table or none
    table = getattr(column, "table", None)
    return getattr(table, "element", table)


def _refuse(elements: Iterable[Any], reason: str, hint: str) -> None:
    for kind in _seen(elements):
        raise NotSearchable(f"{kind.table}.{kind.column} is encrypted: {reason}", hint=hint)


def _seen(elements: Iterable[Any]) -> Iterator[EncryptedType]:
    """Yield the types of encrypted values that would be looked at; a subquery is compiled by itself."""
    for element in elements:
        kind = getattr(element, "type", None)
        if isinstance(kind, EncryptedType):
            yield kind
        elif isinstance(element, ClauseElement) and not isinstance(element, SelectBase) and not _is_harmless(element):
            yield from _seen(element.get_children())


def _is_harmless(element: ClauseElement) -> bool:
    return (isinstance(element, BinaryExpression) and element.operator in _HARMLESS) or _counts(element)


def _counts(element: Any) -> bool:  # noqa: ANN401 - SQLAlchemy's
    """Return whether it is `count(column)`, which asks only whether there is a value."""
    if not isinstance(element, FunctionElement) or getattr(element, "name", "") != "count":
        return False
    return not any(isinstance(each, UnaryExpression) for each in element.clauses)


def _named(select: Any, clauses: Iterable[Any]) -> Iterator[Any]:  # noqa: ANN401 - SQLAlchemy's
    """Yield the clauses, and for a name the columns of the select that have it."""
    for clause in clauses:
        yield clause
        names = {str(getattr(each, "element", each)) for each in _names_in(clause)}
        yield from (column for column in select.selected_columns if column.key in names) if names else ()


def _names_in(clause: ClauseElement) -> Iterator[ClauseElement]:
    if isinstance(clause, (TextClause, _textual_label_reference)):
        yield clause
    for each in clause.get_children():
        if isinstance(each, ClauseElement):
            yield from _names_in(each)


def _refuse_distinct(columns: tuple[Any, ...]) -> None:
    """Refuse to tell rows apart by ciphertext alone; with the row's key among them each row is told apart by that."""
    for column in columns:
        table = getattr(column, "table", None)
        if isinstance(column.type, EncryptedType) and not _has_key(columns, table):
            _refuse([column], "equal values differ there", "select the row's id, too, or leave DISTINCT out")


def _parts(select: Any) -> Iterator[Any]:  # noqa: ANN401 - a select, in brackets or not, or a set operation
    inner = getattr(select, "element", select)
    if isinstance(inner, CompoundSelect):
        for part in inner.selects:
            yield from _parts(part)
    else:
        yield select


def _refuse_set(selects: list[tuple[Any, ...]]) -> None:
    """Refuse to compare rows of selects by ciphertext; rows of one table that bring their key are told apart by that."""
    found = [(columns, column) for columns in selects for column in columns if isinstance(column.type, EncryptedType)]
    is_one_table = len({column.type.table for _, column in found}) == 1
    for columns, column in found:
        if not is_one_table or not _has_key(columns, getattr(column, "table", None)):
            _refuse([column], "equal values differ there", "union_all, or select the row's id of one table in each part, too")


def _has_key(columns: tuple[Any, ...], table: Any) -> bool:  # noqa: ANN401 - a table or none
    base = getattr(table, "element", table)
    name = row_key(base).name if hasattr(base, "primary_key") else None
    return any(getattr(each, "table", None) is table and each.name == name for each in columns)
