"""The order of a page, and the condition that says "after this row" for any mix of directions and NULLs."""

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, bindparam, false, or_, true, tuple_
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import UnaryExpression

from pgkeel.access.shape import Shape
from pgkeel.core.errors import UsageError
from pgkeel.schema.sealed_type import NotSearchable

__all__ = ["Order", "OrderBy", "after", "order_of", "reverse"]

OrderBy = str | ColumnElement[Any] | Any
"""A column of the model (`Post.created_at`), one with a direction (`Post.created_at.desc()`), or its name (`-created_at`)."""

_MODIFIERS: dict[Any, dict[str, bool]] = {
    operators.desc_op: {"is_descending": True},
    operators.asc_op: {"is_descending": False},
    operators.nulls_first_op: {"nulls_first": True},
    operators.nulls_last_op: {"nulls_first": False},
}


class Order(msgspec.Struct, frozen=True):
    """One column of an ordering.

    Attributes:
        column: The column's name in the table.
        is_descending: Its direction.
        nulls_first: Where NULLs stand; PostgreSQL's rule when nothing is said: as if larger than all else.
    """

    column: str
    is_descending: bool
    nulls_first: bool


def _require_orderable(shape: Shape[Any], orders: Sequence[Order]) -> None:
    sealed = {str(column.name) for column in shape.encrypted} & {order.column for order in orders}
    if sealed:
        raise NotSearchable(f"{shape.name}.{min(sealed)} is encrypted: it has no order", hint="order by another column")


def order_of(shape: Shape[Any], items: OrderBy | Sequence[OrderBy]) -> tuple[Order, ...]:
    """Return the ordering that a caller asked for, with the primary key behind it so that it is total.

    Raises:
        UsageError: Something in it is not a column of the model.
    """
    given = items if isinstance(items, (list, tuple)) else (items,)
    asked = [_order(shape, item) for item in given if item is not None]
    named = {order.column for order in asked}
    direction = asked[-1].is_descending if asked else False
    rest = [Order(str(column.name), direction, direction) for column in shape.primary if column.name not in named]
    if len(named) != len(asked):
        raise UsageError(f"a column stands twice in the ordering of {shape.name}", hint="name each column once")
    _require_orderable(shape, asked)
    return (*asked, *rest)


def _order(shape: Shape[Any], item: OrderBy) -> Order:
    if isinstance(item, str):
        descending = item.startswith("-")
        return Order(str(shape.column(item.removeprefix("-")).name), descending, descending)
    said: dict[str, bool] = {}
    while isinstance(item, UnaryExpression) and item.modifier in _MODIFIERS:
        said = _MODIFIERS[item.modifier] | said
        item = item.element
    column = _column_of(shape, item)
    descending = said.get("is_descending", False)
    return Order(column, descending, said.get("nulls_first", descending))


def _column_of(shape: Shape[Any], item: Any) -> str:  # noqa: ANN401 - what a caller passed
    name = getattr(item, "name", None)
    table = getattr(item, "table", None)
    if name is None or name not in shape.table.c or table is not shape.table:
        raise UsageError(f"a page of {shape.name} is ordered by its own columns", hint="e.g. order_by=-created_at")
    return str(name)


def reverse(orders: Iterable[Order]) -> tuple[Order, ...]:
    """Return the ordering read from its end."""
    return tuple(Order(order.column, not order.is_descending, not order.nulls_first) for order in orders)


def clause(shape: Shape[Any], order: Order) -> ColumnElement[Any]:
    """Return an ordering as SQL; NULLS is said only where it differs from PostgreSQL's rule, so that plain indexes fit."""
    column = shape.table.c[order.column]
    directed: ColumnElement[Any] = column.desc() if order.is_descending else column.asc()
    if not column.nullable or order.nulls_first == order.is_descending:
        return directed
    return directed.nulls_first() if order.nulls_first else directed.nulls_last()


def after(shape: Shape[Any], orders: Sequence[Order], is_null: Sequence[bool]) -> ColumnElement[bool]:
    """Return the condition that a row stands behind the row whose values are the parameters `after_0`, `after_1` ….

    One direction and no NULL possible: a row comparison, which an index answers in one step. Otherwise each column in turn
    under a bound on the first one, which lets the index start at the right place.
    """
    columns = [shape.table.c[order.column] for order in orders]
    values = [bindparam(f"after_{place}", type_=column.type) for place, column in enumerate(columns)]
    if len({order.is_descending for order in orders}) == 1 and not any(column.nullable for column in columns):
        left, right = (columns[0], values[0]) if len(columns) == 1 else (tuple_(*columns), tuple_(*values))
        return left < right if orders[0].is_descending else left > right
    steps = [
        and_(
            *map(_same, columns[:place], values[:place], is_null[:place]),
            _behind(columns[place], values[place], orders[place], is_null[place]),
        )
        for place in range(len(columns))
    ]
    return and_(_bound(columns[0], values[0], orders[0], is_null[0]), reduce(or_, steps))


def _same(column: ColumnElement[Any], value: ColumnElement[Any], is_null: bool) -> ColumnElement[bool]:
    return column.is_(None) if is_null else column == value


def _behind(column: Any, value: ColumnElement[Any], order: Order, is_null: bool) -> ColumnElement[bool]:  # noqa: ANN401 - a column
    if is_null:
        return column.is_not(None) if order.nulls_first and column.nullable else false()
    further = column < value if order.is_descending else column > value
    return or_(further, column.is_(None)) if column.nullable and not order.nulls_first else further


def _bound(column: Any, value: ColumnElement[Any], order: Order, is_null: bool) -> ColumnElement[bool]:  # noqa: ANN401 - a column
    """Return what holds for every row from the given one on, as an index condition where there can be one."""
    if is_null or (column.nullable and not order.nulls_first):
        return true()
    bound: ColumnElement[bool] = column <= value if order.is_descending else column >= value
    return bound
