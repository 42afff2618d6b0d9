"""Compile a statement once: SQL text, the order of its values, and how a record becomes a row."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import starmap
from operator import itemgetter
from typing import Any, Generic, TypeVar

from sqlalchemy import BindParameter, ColumnElement, Float, Numeric, TableClause, TextClause, all_, any_, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import BinaryExpression, ClauseElement, ColumnClause
from sqlalchemy.types import TypeDecorator, TypeEngine

from pgkeel.access._drivers._async.port import Record
from pgkeel.access.actor import SIGNATURE
from pgkeel.access.arrays import array_of
from pgkeel.access.lasting import taints

__all__ = ["Compiled", "Expressions", "compile_statement", "has_text"]

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")
Processor = Callable[[Any], Any] | None
_NUMERIC, _FLOAT = 1700, 701
_READS = re.compile(r"\b(select|table)\b", re.IGNORECASE)
_WHOLE = itemgetter(slice(None))
_ANY: Mapping[Any, Callable[..., ColumnElement[bool]]] = {
    operators.in_op: lambda left, bind: left == any_(bind),
    operators.not_in_op: lambda left, bind: left != all_(bind),
}


class Compiled(Generic[T_co]):
    """A statement ready for the driver.

    Attributes:
        sql: Its text with `$1 …`.
        doing: What it does, for errors: never a value.
        may_last: Whether it may leave something of the session behind.
        into: What a record becomes, called with one argument a column.
        is_plain: Whether a record's values go there as they are: then `into(*record[:])` spares a call of `read`.
        tables: The tables that stand in it.
        has_text: Whether a caller's own text in it reads some table of its own.
    """

    __slots__ = (
        "_given", "_order", "_processors", "_records", "_signed",
        "bind", "doing", "has_text", "into", "is_plain", "may_last", "read", "sql", "tables",
    )  # fmt: skip

    def __init__(
        self,
        sql: str,
        order: Sequence[tuple[int | None, object, Processor]],
        processors: Mapping[int, Callable[[Any], Any]],
        into: Callable[..., T_co],
        doing: str,
        given: int,
        tables: frozenset[str] = frozenset(),
    ) -> None:
        """Choose the shortest way for rows and for the values, of which so many are `given` each time, used or not."""
        self.sql = sql
        self.doing = doing
        self.tables = tables
        self.has_text = False
        self.may_last = taints(sql)
        self._order, self._given = tuple(order), given
        self._processors = tuple(processors.items())
        self.into = into
        self._signed: Compiled[T_co] | None = None
        self._records: Compiled[tuple[object, ...]] | None = None
        self.is_plain = not processors
        are_plain = len(order) == given and all(
            index == place and processor is None for place, (index, _, processor) in enumerate(order)
        )
        self.bind: Callable[[Sequence[object]], Sequence[object]] = tuple if are_plain else self._arranged
        self.read: Callable[[Record], T_co] = self._processed if processors else lambda record: into(*record[:])

    def read_all(self, records: Iterable[Record]) -> list[T_co]:
        """Return every record as a row; sliced, because asyncpg's come out whole twice as fast as value by value."""
        if self._processors:
            return [self._processed(record) for record in records]
        return list(starmap(self.into, map(_WHOLE, records)))

    def prefixed(self, prefix: str, into: Callable[..., U]) -> "Compiled[U]":
        """Return a statement that begins with a fixed text, takes the same values and gives other rows."""
        longer = Compiled(prefix + self.sql, self._order, {}, into, self.doing, self._given, self.tables)
        longer.has_text = self.has_text
        return longer

    def records(self) -> "Compiled[tuple[object, ...]]":
        """Return the same statement with records as the driver gives them, which `read` and `read_all` still take."""
        if self._records is None:
            self._records = self.prefixed("", lambda *values: values)
        return self._records

    def said(self, values: Sequence[object]) -> tuple[object, ...]:
        """Return all values beside the text, in its order: those that a run brings, and those that are always the same."""
        return tuple([constant if index is None else values[index] for index, constant, _ in self._order])

    def signed(self) -> "Compiled[T_co]":
        """Return the same write with one more value, the last: who writes. It is set before any trigger AFTER the row runs.

        Every write of a repository ends with what it returns, so the setting is one more column there.
        """
        if self._signed is None:
            into = self.into
            text = f"{self.sql}, {SIGNATURE.format(place=len(self._order) + 1)}"
            order = [*self._order, (-1, None, None)]
            self._signed = Compiled(
                text, order, dict(self._processors), lambda *record: into(*record[:-1]), self.doing, self._given + 1
            )
        return self._signed

    def _arranged(self, values: Sequence[object]) -> Sequence[object]:
        given = ((constant if index is None else values[index], processor) for index, constant, processor in self._order)
        return [value if processor is None else processor(value) for value, processor in given]

    def _processed(self, record: Record) -> T_co:
        values = list(record)
        for place, processor in self._processors:
            values[place] = processor(values[place])
        return self.into(*values)


class Expressions:
    """Conditions of a caller: a key by which equal ones share a compiled statement, and their values apart from it."""

    __slots__ = ("expressions", "key", "parameters")

    def __init__(self, expressions: Iterable[ClauseElement]) -> None:
        """Take the values out; `key` is None when SQLAlchemy cannot tell two such expressions apart."""
        self.expressions = tuple(expressions)
        keys: list[Any] = []
        self.parameters: list[BindParameter[Any]] = []
        for expression in self.expressions:
            found = expression._generate_cache_key()  # noqa: SLF001 - documented for caching extensions
            keys.append(None if found is None else found.key)
            self.parameters += [] if found is None else found.bindparams
        self.key = None if None in keys else tuple(keys)

    def values(self) -> list[object]:
        """Return the values in the order of `parameters`."""
        return [parameter.effective_value for parameter in self.parameters]

    def fixed(self) -> tuple[list[Any], dict[BindParameter[Any], BindParameter[Any]]]:
        """Return the expressions with `IN (…)` as `= ANY(array)`, which serves any length, and what replaced what."""
        replaced: dict[BindParameter[Any], BindParameter[Any]] = {}

        def replace(element: Any, **_: object) -> Any:  # noqa: ANN401 - SQLAlchemy's visitors know no types
            if isinstance(element, BindParameter):
                return element
            if not isinstance(element, BinaryExpression) or element.operator not in _ANY:
                return None
            if not isinstance(element.right, BindParameter):
                return None
            array = bindparam(None, element.right.effective_value, type_=array_of(element.left.type), unique=True)
            replaced[element.right] = array
            return _ANY[element.operator](element.left, array)

        return [visitors.replacement_traverse(each, {}, replace) for each in self.expressions], replaced


def compile_statement(
    statement: ClauseElement,
    names: Sequence[str | BindParameter[Any]],
    *,
    columns: Iterable[ColumnElement[Any]],
    into: Callable[..., T_co],
    dialect: Dialect,
    doing: str,
) -> Compiled[T_co]:
    """Return a statement compiled for a driver.

    Args:
        statement: What to compile.
        names: The parameters whose values each run brings, in the order of its values.
        columns: The columns of its result.
        into: What a record becomes, called with one argument a column.
        dialect: The driver's.
        doing: What it does, for errors.
    """
    compiled: Any = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    places = {_name_in(compiled, name): place for place, name in enumerate(names)}
    constants: Mapping[str, object] = compiled.params
    order = [
        (places.get(name), constants.get(name), _bind_processor(compiled.binds[name].type, dialect))
        for name in compiled.positiontup or ()
    ]
    results = {place: _result_processor(column.type, dialect) for place, column in enumerate(columns)}
    used = {place: processor for place, processor in results.items() if processor is not None}
    return Compiled(str(compiled), order, used, into, doing, len(names), _tables_in(statement))


def _tables_in(statement: ClauseElement) -> frozenset[str]:
    """Return the tables that stand in a statement, wherever; what a text, a view or a function reads is not seen."""
    return frozenset(part.fullname for part in visitors.iterate(statement) if isinstance(part, TableClause))


def has_text(expressions: Iterable[ClauseElement]) -> bool:
    """Return whether there is hand-written text in expressions that reads some table of its own."""
    return any(_READS.search(_text_of(part)) for each in expressions for part in visitors.iterate(each))


def _text_of(part: object) -> str:
    if isinstance(part, ColumnClause):
        return str(part.name) if part.is_literal else ""
    return part.text if isinstance(part, TextClause) else ""


def _name_in(compiled: SQLCompiler, name: "str | BindParameter[Any]") -> str:
    return name if isinstance(name, str) else compiled.bind_names[name]


def _bind_processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _result_processor(kind: TypeEngine[Any], dialect: Dialect) -> Processor:
    implementation = kind.dialect_impl(dialect)
    return implementation.result_processor(dialect, _type_code(implementation))


def _type_code(kind: TypeEngine[Any]) -> int | None:
    """Return the server's number of a numeric type; SQLAlchemy asks for it and the driver has converted by it."""
    inner = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    if isinstance(inner, Float):
        return _FLOAT
    return _NUMERIC if isinstance(inner, Numeric) else None
