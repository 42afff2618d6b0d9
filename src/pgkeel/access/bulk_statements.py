"""The statements that write many rows from arrays of their values."""

from typing import Any, TypeVar

from sqlalchemy import ARRAY, bindparam, func, insert, select
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.access.compiled import Compiled
from pgkeel.access.statements import Statements, scalar

__all__ = ["insert_many"]

R = TypeVar("R")


def insert_many(statements: Statements[R], names: tuple[str, ...]) -> Compiled[Any]:
    """Insert arrays of column values in one statement; returns the keys in their order."""
    columns = [statements.shape.column(name) for name in names]
    arrays = [bindparam(f"values_{place}", type_=ARRAY(column.type)) for place, column in enumerate(columns)]

    def build() -> ClauseElement:
        unnested = func.unnest(*arrays).table_valued(*(column.name for column in columns), with_ordinality="position")
        given = unnested.render_derived(name="given")
        picked = select(*(given.c[column.name] for column in columns)).order_by(given.c.position)
        target = insert(statements.shape.table).from_select(columns, picked, include_defaults=False)
        return target.returning(*statements.shape.key[:1])

    return statements.compiled(
        ("insert_many", names),
        build,
        [f"values_{place}" for place in range(len(names))],
        verb="insert_many",
        columns=statements.shape.key[:1],
        into=scalar,
    )
