"""The statements that read rows, each compiled once for its model and driver."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, bindparam, func, literal_column, select
from sqlalchemy.sql.elements import ClauseElement, Label

from pgkeel.access.arrays import array_of
from pgkeel.access.compiled import Compiled
from pgkeel.access.ordering import Order, after, clause
from pgkeel.access.statements import Bound, Statements, record, scalar

__all__ = ["aggregate", "count", "filtered", "get", "get_many", "matching", "offset_page", "page"]

R = TypeVar("R")
_USUAL = frozenset(
    size + more for size in (1, 5, 10, 20, 25, 50, 100, 200, 500, 1000) for more in (0, 1)
)  # a page reads one more


def get(statements: Statements[R], with_deleted: bool) -> Compiled[R]:
    """One row by its key."""
    return statements.compiled(
        ("get", with_deleted),
        lambda: statements.rows([*statements.by_key(), *statements.scope(with_deleted)]),
        statements.key_names(),
        verb="get",
    )


def get_many(statements: Statements[R], with_deleted: bool) -> Compiled[R]:
    """Rows by an array of keys."""
    key = statements.shape.key[0]
    keys = bindparam("keys", type_=array_of(key.type))
    return statements.compiled(
        ("get_many", with_deleted),
        lambda: statements.rows([key == func.any(keys), *statements.scope(with_deleted)]),
        ["keys"],
        verb="get_many",
    )


def page(
    statements: Statements[R],
    orders: tuple[Order, ...],
    is_null: tuple[bool, ...] | None,
    limit: int,
    conditions: Sequence[ColumnElement[bool]],
    with_deleted: bool,
    start: Sequence[object],
) -> Bound[R]:
    """Return rows in an order, from behind a row on, and one more than asked for."""
    is_usual = limit in _USUAL
    key = ("page", orders, is_null, with_deleted, is_usual and limit)
    known = None if conditions else statements.known((key, ()))
    if known is not None:
        return known, [*start] if is_usual else [*start, limit]
    named: dict[str, object] = {f"after_{place}": value for place, value in enumerate(start)}
    rows, bound = _rows(limit)

    def build(fixed: list[Any]) -> ClauseElement:
        behind = [] if is_null is None else [after(statements.shape, orders, is_null)]
        chosen = statements.rows([*fixed, *statements.scope(with_deleted), *behind])
        ordered = chosen.order_by(*(clause(statements.shape, order) for order in orders))
        return ordered.limit(rows)

    return statements.filtered(key, conditions, build, verb="page", named=named | (bound or {}))


def filtered(
    statements: Statements[R],
    orders: tuple[Order, ...],
    limit: int | None,
    conditions: Sequence[ColumnElement[bool]],
    with_deleted: bool,
) -> Bound[R]:
    """Return the rows that meet all conditions."""
    rows, bound = (None, None) if limit is None else _rows(limit)

    def build(fixed: list[Any]) -> ClauseElement:
        chosen = statements.rows([*fixed, *statements.scope(with_deleted)]).order_by(
            *(clause(statements.shape, order) for order in orders)
        )
        return chosen if rows is None else chosen.limit(rows)

    key = ("filter", orders, with_deleted, "any" if bound else limit)
    return statements.filtered(key, conditions, build, verb="filter", named=bound)


def _rows(limit: int) -> tuple[ColumnElement[Any], dict[str, object] | None]:
    """Return what stands behind LIMIT, and the value it is bound to.

    A usual number is written out: the server then keeps the plan. With a bound one it plans each time, since the plan that it
    could keep is for a tenth of the table. The numbers are few, so that a caller's choice does not make statements without end.
    """
    if limit in _USUAL:
        return literal_column(str(limit)), None
    return bindparam("rows"), {"rows": limit}


def offset_page(
    statements: Statements[R],
    orders: tuple[Order, ...],
    place: tuple[int, int],
    conditions: Sequence[ColumnElement[bool]],
    *,
    with_deleted: bool,
) -> Bound[R]:
    """Return rows in an order, so many from a number on."""
    limit, offset = place

    def build(fixed: list[Any]) -> ClauseElement:
        chosen = statements.rows([*fixed, *statements.scope(with_deleted)])
        ordered = chosen.order_by(*(clause(statements.shape, order) for order in orders))
        return ordered.limit(bindparam("rows")).offset(bindparam("skipped"))

    named: dict[str, object] = {"rows": limit, "skipped": offset}
    return statements.filtered(("offset_page", orders, with_deleted), conditions, build, verb="offset_page", named=named)


def matching(
    statements: Statements[R], conditions: Sequence[ColumnElement[bool]], cap: int | None, *, with_deleted: bool
) -> Bound[int]:
    """Return how many rows meet all conditions, counted to a cap; without one, a statement whose plan estimates it."""
    found: ColumnElement[Any] = literal_column("1")
    counted = func.count()

    def build(fixed: list[Any]) -> ClauseElement:
        chosen = select(found).select_from(statements.shape.table).where(*fixed, *statements.scope(with_deleted))
        if cap is None:
            return chosen
        return select(counted).select_from(chosen.limit(bindparam("cap")).subquery("capped"))

    return statements.filtered(
        ("matching", cap is None, with_deleted),
        conditions,
        build,
        verb="count_up_to",
        named={} if cap is None else {"cap": cap},
        columns=lambda _: [counted],
        into=scalar,
    )


def aggregate(
    statements: Statements[R],
    by: Sequence[ColumnElement[Any]],
    measures: Mapping[str, ColumnElement[Any]],
    conditions: Sequence[ColumnElement[bool]],
    with_deleted: bool,
) -> Bound[tuple[object, ...]]:
    """Return one record a group: the group's values, then the measures; ordered by the group."""
    groups, width = len(by), len(by) + len(measures)

    def build(fixed: list[Any]) -> ClauseElement:
        labelled = [each.label(name) for name, each in zip(measures, fixed[groups:width], strict=True)]
        chosen = select(*fixed[:groups], *labelled).select_from(statements.shape.table)
        kept = chosen.where(*fixed[width:], *statements.scope(with_deleted))
        bare = [each.element if isinstance(each, Label) else each for each in fixed[:groups]]  # a label may hide a column
        return kept.group_by(*bare).order_by(*bare)

    return statements.filtered(
        ("aggregate", groups, tuple(measures), with_deleted),
        [*by, *measures.values(), *conditions],
        build,
        verb="aggregate",
        columns=lambda fixed: fixed[:width],
        into=record,
    )


def count(statements: Statements[R], conditions: Sequence[ColumnElement[bool]], with_deleted: bool) -> Bound[int]:
    """Return how many rows meet all conditions."""
    counted = func.count()
    return statements.filtered(
        ("count", with_deleted),
        conditions,
        lambda fixed: select(counted).select_from(statements.shape.table).where(*fixed, *statements.scope(with_deleted)),
        verb="count",
        columns=lambda _: [counted],
        into=scalar,
    )
