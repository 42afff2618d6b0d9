"""From the query string of an HTTP API to conditions, an ordering and a page: what is not allowed by name is refused.

FILTERS = Filters(Post, {"status": "eq in", "created_at": "ge lt", "title": "contains"}, orders=("created_at", "title"))
wanted = FILTERS.read("status=draft&created_at.ge=2024-01-01T00:00:00Z&sort=-created_at&limit=20")
page = await posts.page(*wanted.conditions, **wanted.paging)
"""

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from sqlalchemy import ColumnElement

from pgkeel.access.conditions import contains, json_text, similar, starts_with
from pgkeel.access.shape import Shape, shape_of, suggestion
from pgkeel.core.errors import UsageError
from pgkeel.schema import HasRow
from pgkeel.schema.row_fields import fields_of

__all__ = ["Filters", "InvalidFilter", "Wanted"]

_LONGEST = 8_192
_MOST_PARTS = 50
_MOST_VALUES = 100
_LONGEST_VALUE = 1_000
_RESERVED = ("sort", "limit", "after", "before")
Pairs = Sequence[tuple[str, str]]
Comparison = Callable[[Any, Any], ColumnElement[bool]]
_TEXT: Mapping[str, Comparison] = {"contains": contains, "prefix": starts_with, "similar": similar}
_ONE: Mapping[str, Comparison] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column != value,
    "lt": lambda column, value: column < value,
    "le": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "ge": lambda column, value: column >= value,
}
_OPERATORS = (*_ONE, "in", "null", *_TEXT)


class InvalidFilter(UsageError):
    """A query string asks for something that is not allowed, or says it wrongly.

    Attributes:
        parameter: The parameter that is wrong, for the answer of an API: never its value.
    """

    code: ClassVar[str] = "invalid_filter"

    def __init__(self, message: str = "", *, hint: str = "", parameter: str = "") -> None:
        """Keep the parameter."""
        super().__init__(message, hint=hint)
        self.parameter = parameter


class Wanted(msgspec.Struct, frozen=True):
    """What a query string asks for.

    Attributes:
        conditions: What rows must meet.
        order_by: The ordering, as `page` takes it.
        limit: Rows at most.
        after: A cursor, or None.
        before: A cursor, or None.
    """

    conditions: tuple[ColumnElement[bool], ...]
    order_by: tuple[str, ...]
    limit: int
    after: str | None
    before: str | None

    @property
    def paging(self) -> dict[str, Any]:
        """The keywords for `page`."""
        return {"order_by": self.order_by, "limit": self.limit, "after": self.after, "before": self.before}


class _Field(msgspec.Struct, frozen=True):
    """A parameter that is allowed."""

    column: Any
    kind: Any
    operators: tuple[str, ...]


class Filters:
    """What an API allows to ask of one model; made once."""

    def __init__(
        self,
        model: HasRow[Any],
        fields: Mapping[str, str],
        *,
        orders: Iterable[str] = (),
        default_order: str | tuple[str, ...] = (),
        limit: int = 50,
        most: int = 200,
    ) -> None:
        """Say what is allowed; everything else is refused.

        Args:
            model: The model.
            fields: Parameter → the operators allowed for it, of `eq ne lt le gt ge in null contains prefix similar`. A parameter
                is a column's name, or `column:path.inside` for a value inside of JSON, compared as text.
            orders: Columns that `sort` may name.
            default_order: The ordering without `sort`.
            limit: Rows of a page without `limit`.
            most: What `limit` may be at most.

        Raises:
            UsageError: A column or an operator does not exist.
        """
        self._shape: Shape[Any] = shape_of(model)
        kinds = {field.name: field.kind for field in fields_of(_class(model))}
        self._fields = {name: _field(self._shape, kinds, name, allowed.split()) for name, allowed in fields.items()}
        self._orders = frozenset(orders)
        for order in self._orders:
            self._shape.column(order)
        self._default_order = (default_order,) if isinstance(default_order, str) else default_order
        self._limit = limit
        self._most = most

    def read(self, query: str | Pairs) -> Wanted:
        """Return what a query string asks for.

        Args:
            query: The part of the address behind `?`, or its decoded pairs.

        Raises:
            InvalidFilter: Something in it is not allowed, or not understood; `parameter` says which.
        """
        pairs = _pairs(query)
        reserved = {name: value for name, value in pairs if name in _RESERVED}
        if len([name for name, _ in pairs if name in _RESERVED]) > len(reserved):
            raise InvalidFilter("sort, limit, after and before are said once each", hint="leave the others out")
        if "after" in reserved and "before" in reserved:
            raise InvalidFilter("a page is after or before a cursor, not both", hint="pass one of them", parameter="before")
        return Wanted(
            conditions=tuple(self._condition(name, value) for name, value in pairs if name not in _RESERVED),
            order_by=self._order(reserved.get("sort", "")),
            limit=self._limit_of(reserved.get("limit")),
            after=reserved.get("after"),
            before=reserved.get("before"),
        )

    def _condition(self, parameter: str, value: str) -> ColumnElement[bool]:
        name, _, operator = (parameter, "", "eq") if parameter in self._fields else parameter.rpartition(".")
        field = self._fields.get(name)
        if field is None or operator not in field.operators:
            raise InvalidFilter(
                f"{parameter[:64]!r} is not a filter of {self._shape.name}", hint=self._allowed(name), parameter=parameter[:64]
            )
        if operator == "null":
            return _is_null(field.column, wanted=_converted(value, bool, parameter))
        if operator == "in":
            return _is_in(field.column, self._values(value, field, parameter))
        if operator in _TEXT:
            return _TEXT[operator](field.column, _converted(value, str, parameter))
        return _ONE[operator](field.column, _converted(value, field.kind, parameter))

    def _values(self, value: str, field: _Field, parameter: str) -> list[Any]:
        words = value.split(",")
        if len(words) > _MOST_VALUES:
            raise InvalidFilter(f"{parameter} takes {_MOST_VALUES} values at most", hint="ask more often", parameter=parameter)
        return [_converted(word, field.kind, parameter) for word in words]

    def _allowed(self, name: str) -> str:
        if name in self._fields:
            words = ", ".join(f"{name}.{operator}" for operator in self._fields[name].operators)
            return f"one of {words}"
        return suggestion(name, {**self._fields, **dict.fromkeys(_RESERVED)})

    def _order(self, sort: str) -> tuple[str, ...]:
        asked = tuple(sort.split(",")) if sort else self._default_order
        names = [name.removeprefix("-") for name in asked]
        wrong = [name for name in names if name not in self._orders] if sort else []
        if wrong or len(set(names)) != len(names):
            hint = f"one or several of {', '.join(sorted(self._orders)) or 'nothing'}, each once; -name for the other direction"
            raise InvalidFilter(f"{self._shape.name} is not sorted like that", hint=hint, parameter="sort")
        return asked

    def _limit_of(self, given: str | None) -> int:
        limit = self._limit if given is None else _converted(given, int, "limit")
        if not 1 <= limit <= self._most:
            raise InvalidFilter(f"limit is between 1 and {self._most}", hint="limit=50", parameter="limit")
        return limit


def _is_null(column: ColumnElement[Any], *, wanted: bool) -> ColumnElement[bool]:
    return column.is_(None) if wanted else column.is_not(None)


def _is_in(column: ColumnElement[Any], values: list[Any]) -> ColumnElement[bool]:
    return column.in_(values)


def _class(model: Any) -> Any:  # noqa: ANN401 - the model, as what it is besides HasRow
    return model


def _pairs(query: str | Pairs) -> Pairs:
    if isinstance(query, str) and len(query) > _LONGEST:
        raise InvalidFilter(f"a query string has {_LONGEST} characters at most", hint="ask for less at once")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARTS) if isinstance(query, str) else query
    except ValueError:
        raise InvalidFilter("the query string cannot be read", hint=f"name=value&…, {_MOST_PARTS} at most") from None
    if len(pairs) > _MOST_PARTS:
        raise InvalidFilter(f"a query has {_MOST_PARTS} parameters at most", hint="ask for less at once")
    return pairs


def _field(shape: Shape[Any], kinds: Mapping[str, Any], name: str, operators: Sequence[str]) -> _Field:
    """Return what a parameter stands for."""
    unknown = [operator for operator in operators if operator not in _OPERATORS]
    if unknown or not operators:
        raise UsageError(f"{name} has no operator {', '.join(unknown) or 'at all'}", hint=f"some of {' '.join(_OPERATORS)}")
    if name in _RESERVED:
        raise UsageError(f"{name} is a parameter of every query", hint="call the field differently")
    column_name, _, path = name.partition(":")
    column = shape.column(column_name)
    if path:
        return _Field(json_text(column, *path.split(".")), str, tuple(operators))
    kind = kinds.get(column_name, str)
    return _Field(column, _without_none(kind), tuple(operators))


def _without_none(kind: Any) -> Any:  # noqa: ANN401 - any type
    if get_origin(kind) not in {Union, types.UnionType}:
        return kind
    return next(option for option in get_args(kind) if option is not type(None))


def _converted(value: str, kind: Any, parameter: str) -> Any:  # noqa: ANN401 - what the column holds
    """Return a value as the column's Python type; a time needs its zone, or it would depend on the machine."""
    try:
        found = msgspec.convert(value, kind, strict=False)
    except (msgspec.ValidationError, ValueError):
        found = None
    is_naive = isinstance(found, datetime) and found.tzinfo is None
    if found is None or is_naive or len(value) > _LONGEST_VALUE or "\0" in value:
        name = parameter[:64]
        raise InvalidFilter(f"the value of {name!r} does not fit", hint=f"it takes {_spoken(kind)}", parameter=name)
    return found


def _spoken(kind: Any) -> str:  # noqa: ANN401 - any type
    words = [str(word) for word in get_args(kind)]
    names = {
        "datetime": "a time such as 2024-01-31T12:00:00Z",
        "UUID": "a UUID",
        "int": "a whole number",
        "bool": "true or false",
    }
    named = getattr(kind, "__name__", "")
    return f"one of {', '.join(words)}" if words and named == "Literal" else names.get(named, named or "another one")
