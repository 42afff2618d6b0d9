"""The statements that write one row, each compiled once for its model, driver and fields."""

from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import and_, bindparam, func
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.access.compiled import Compiled
from pgkeel.access.shape import Shape
from pgkeel.access.statements import Statements, scalar

__all__ = ["delete", "hidden_values", "insert", "restore", "soft_delete", "update"]

R = TypeVar("R")


def insert(statements: Statements[R], names: tuple[str, ...], *, key_only: bool) -> Compiled[Any]:
    """Insert one row; returns its key or the whole row as the server completed it."""
    key = ("insert", names, key_only)
    known = statements.known(key)
    if known is not None:
        return known
    columns = [statements.shape.column(name) for name in names]
    result = statements.shape.key[:1] if key_only else statements.shape.columns

    def build() -> ClauseElement:
        values = {column: bindparam(f"value_{place}", type_=column.type) for place, column in enumerate(columns)}
        return sqlalchemy.insert(statements.shape.table).values(values).returning(*result)

    return statements.compiled(
        key,
        build,
        [f"value_{place}" for place in range(len(names))],
        verb="insert",
        columns=result,
        into=scalar if key_only else None,
    )


def update(statements: Statements[R], names: tuple[str, ...], *, versioned: bool, with_deleted: bool) -> Compiled[R]:
    """Update one row by its key, and its version where one is given; returns the new row, or nothing."""
    columns = [statements.shape.column(name) for name in names]

    def build() -> ClauseElement:
        values = {column: bindparam(f"value_{place}", type_=column.type) for place, column in enumerate(columns)}
        lock = [] if not versioned or statements.shape.version is None else [statements.shape.version == bindparam("version")]
        where = and_(*statements.by_key(), *lock, *statements.scope(with_deleted))
        return sqlalchemy.update(statements.shape.table).where(where).values(values).returning(*statements.shape.columns)

    names_of_values = [f"value_{place}" for place in range(len(names))]
    parameters = [*statements.key_names(), *names_of_values, *(["version"] if versioned else [])]
    return statements.compiled(("update", names, versioned, with_deleted), build, parameters, verb="update")


def hidden_values(shape: Shape[Any]) -> dict[Any, Any]:
    """Return what a soft delete writes."""
    values: dict[Any, Any] = {shape.deleted_at: func.clock_timestamp()}
    if shape.deleted_status is not None:
        values[shape.table.c.status] = shape.deleted_status
    return values


def soft_delete(statements: Statements[R]) -> Compiled[R]:
    """Hide one row that is not hidden; returns it, or nothing."""
    shape = statements.shape

    def build() -> ClauseElement:
        assert shape.deleted_at is not None  # noqa: S101 - the repository asks only then
        values = hidden_values(shape)
        where = and_(*statements.by_key(), shape.deleted_at.is_(None))
        return sqlalchemy.update(shape.table).where(where).values(values).returning(*shape.columns)

    return statements.compiled(("soft_delete",), build, statements.key_names(), verb="soft_delete")


def restore(statements: Statements[R]) -> Compiled[R]:
    """Show one hidden row again; a trigger gives it the status that it had. Returns it, or nothing."""
    shape = statements.shape

    def build() -> ClauseElement:
        assert shape.deleted_at is not None  # noqa: S101 - the repository asks only then
        where = and_(*statements.by_key(), shape.deleted_at.is_not(None))
        return sqlalchemy.update(shape.table).where(where).values({shape.deleted_at: None}).returning(*shape.columns)

    return statements.compiled(("restore",), build, statements.key_names(), verb="restore")


def delete(statements: Statements[R]) -> Compiled[R]:
    """Delete one row for good; returns it, or nothing."""
    return statements.compiled(
        ("delete",),
        lambda: sqlalchemy.delete(statements.shape.table).where(*statements.by_key()).returning(*statements.shape.columns),
        statements.key_names(),
        verb="delete",
    )
