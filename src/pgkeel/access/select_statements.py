"""The statements that read rows, each compiled once for its model and driver."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ARRAY, ColumnElement, bindparam, func, literal_column, select
from sqlalchemy.sql.elements import ClauseElement, Label

from pgkeel.access.compiled import Compiled
from pgkeel.access.ordering import Order, after, clause
from pgkeel.access.statements import Bound, Statements, record, scalar

__all__ = ["aggregate", "count", "filtered", "get", "get_many", "matching", "offset_page", "page"]

R = TypeVar("R")


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
    keys = bindparam("keys", type_=ARRAY(key.type))
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
    named: dict[str, object] = {f"after_{place}": value for place, value in enumerate(start)} | {"rows": limit}

    def build(fixed: list[Any]) -> ClauseElement:
        behind = [] if is_null is None else [after(statements.shape, orders, is_null)]
        chosen = statements.rows([*fixed, *statements.scope(with_deleted), *behind])
        ordered = chosen.order_by(*(clause(statements.shape, order) for order in orders))
        return ordered.limit(bindparam("rows"))

    return statements.filtered(("page", orders, is_null, with_deleted), conditions, build, verb="page", named=named)


def filtered(
    statements: Statements[R],
    orders: tuple[Order, ...],
    limit: int | None,
    conditions: Sequence[ColumnElement[bool]],
    with_deleted: bool,
) -> Bound[R]:
    """Return the rows that meet all conditions."""

    def build(fixed: list[Any]) -> ClauseElement:
        chosen = statements.rows([*fixed, *statements.scope(with_deleted)]).order_by(
            *(clause(statements.shape, order) for order in orders)
        )
        return chosen if limit is None else chosen.limit(bindparam("rows"))

    named = {} if limit is None else {"rows": limit}
    return statements.filtered(("filter", orders, limit is None, with_deleted), conditions, build, verb="filter", named=named)


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
