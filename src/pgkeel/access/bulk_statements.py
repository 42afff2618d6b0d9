"""The statements that write many rows from arrays of their values, one statement whatever their number."""

from collections.abc import Sequence
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import ARRAY, Boolean, ColumnElement, Table, bindparam, exists, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.access.compiled import Compiled
from pgkeel.access.statements import Statements, scalar
from pgkeel.access.write_statements import hidden_values
from pgkeel.core.errors import UsageError
from pgkeel.schema.ddl import quoted

__all__ = ["delete_many", "insert_many", "restore_many", "soft_delete_many", "update_many", "upsert_many"]

R = TypeVar("R")


def insert_many(statements: Statements[R], names: tuple[str, ...]) -> Compiled[Any]:
    """Insert arrays of column values in one statement; returns the keys in their order."""
    columns = [statements.shape.column(name) for name in names]

    def build() -> ClauseElement:
        given = _given(statements, names)
        picked = select(*(given.c[column.name] for column in columns)).order_by(given.c.position)
        target = sqlalchemy.insert(statements.shape.table).from_select(columns, picked, include_defaults=False)
        return target.returning(*statements.shape.key[:1])

    return _keyed(statements, ("insert_many", names), build, names, "insert_many")


def upsert_many(
    statements: Statements[R], names: tuple[str, ...], on: tuple[str, ...], changed: tuple[str, ...]
) -> Compiled[tuple[Any, bool]]:
    """Insert arrays of column values, or change the rows that are there; returns key and whether it is new, in their order.

    With nothing to change, rows that are there are left alone and not returned.
    """
    shape = statements.shape
    columns = [shape.column(name) for name in names]
    is_new = _is_new(shape.table)

    def build() -> ClauseElement:
        given = _given(statements, names)
        picked = select(*(given.c[column.name] for column in columns)).order_by(given.c.position)
        target = insert_or(shape.table).from_select(columns, picked, include_defaults=False)
        place: Any = [shape.column(name) for name in on]
        values = {column.name: target.excluded[column.name] for column in map(shape.column, changed)}
        if not values:
            return target.on_conflict_do_nothing(index_elements=place).returning(shape.key[0], is_new)
        return target.on_conflict_do_update(index_elements=place, set_=values).returning(shape.key[0], is_new)

    return statements.compiled(
        ("upsert_many", names, on, changed),
        build,
        _values(names),
        verb="upsert_many",
        columns=[shape.key[0], is_new],
        into=lambda key, inserted: (key, inserted),
    )


def _is_new(table: Table) -> ColumnElement[bool]:
    """Return whether a row of ON CONFLICT is new.

    `xmax` is 0 unless the row was locked, which an update of a conflict does. A partitioned table cannot show it: there the
    row counts as new when it was not there as the statement began.
    """
    if not table.dialect_options["postgresql"]["partition_by"]:
        return literal_column("xmax = 0", Boolean)
    before = table.alias("before")
    target = quoted(table.name)  # SQLAlchemy correlates with the FROM of a SELECT only
    names = [str(column.name) for column in table.primary_key.columns]
    return ~exists().where(*(before.c[name] == literal_column(f"{target}.{quoted(name)}") for name in names))


def update_many(statements: Statements[R], names: tuple[str, ...], *, versioned: bool, with_deleted: bool) -> Compiled[Any]:
    """Change rows by their keys, and their versions where they are given; returns the keys of the changed ones."""
    shape = statements.shape
    locks = [*shape.key, *([shape.version] if versioned and shape.version is not None else [])]
    changed = [column for column in map(shape.column, names) if column not in locks]

    def build() -> ClauseElement:
        given = _given(statements, names)
        same = [column == given.c[column.name] for column in locks]
        values: dict[Any, Any] = {column: given.c[column.name] for column in changed}
        where = [*same, *statements.scope(with_deleted)]
        return sqlalchemy.update(shape.table).where(*where).values(values).returning(shape.key[0])

    return _keyed(statements, ("update_many", names, versioned, with_deleted), build, names, "update_many")


def delete_many(statements: Statements[R]) -> Compiled[Any]:
    """Delete rows for good; returns the keys of those that were there."""
    shape = statements.shape
    return _by_keys(statements, "delete_many", lambda among: sqlalchemy.delete(shape.table).where(among))


def soft_delete_many(statements: Statements[R]) -> Compiled[Any]:
    """Hide rows; returns the keys of those that were not hidden."""
    shape = statements.shape
    visible = statements.scope(with_deleted=False)
    return _by_keys(
        statements,
        "soft_delete_many",
        lambda among: sqlalchemy.update(shape.table).where(among, *visible).values(hidden_values(shape)),
    )


def restore_many(statements: Statements[R]) -> Compiled[Any]:
    """Show hidden rows again; returns the keys of those that were hidden."""
    shape = statements.shape
    hidden = [sqlalchemy.not_(condition) for condition in statements.scope(with_deleted=False)]
    return _by_keys(
        statements,
        "restore_many",
        lambda among: sqlalchemy.update(shape.table).where(among, *hidden).values({shape.deleted_at: None}),
    )


def _by_keys(statements: Statements[R], verb: str, write: Any) -> Compiled[Any]:  # noqa: ANN401 - an update or a delete
    key = statements.shape.key[0]

    def build() -> ClauseElement:
        keys = bindparam("keys", type_=ARRAY(key.type))
        written: ClauseElement = write(key == func.any(keys)).returning(key)
        return written

    return statements.compiled((verb,), build, ["keys"], verb=verb, columns=[key], into=scalar)


def _keyed(statements: Statements[R], key: tuple[object, ...], build: Any, names: Sequence[str], verb: str) -> Compiled[Any]:  # noqa: ANN401 - makes the statement
    return statements.compiled(key, build, _values(names), verb=verb, columns=statements.shape.key[:1], into=scalar)


def _values(names: Sequence[str]) -> list[str]:
    return [f"values_{place}" for place in range(len(names))]


def _given(statements: Statements[R], names: Sequence[str]) -> Any:  # noqa: ANN401 - SQLAlchemy's alias of a function
    """Return the rows in the arrays: their columns, and `position`."""
    columns = [statements.shape.column(name) for name in names]
    if any(isinstance(column.type, ARRAY) for column in columns):
        raise UsageError("arrays inside of rows go in by COPY only", hint="use insert_many(…)")
    arrays: list[ColumnElement[Any]] = [
        bindparam(f"values_{place}", type_=ARRAY(column.type)) for place, column in enumerate(columns)
    ]
    unnested = func.unnest(*arrays).table_valued(*(column.name for column in columns), with_ordinality="position")
    return unnested.render_derived(name="given")
