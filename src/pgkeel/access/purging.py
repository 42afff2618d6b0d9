"""What has been hidden long enough goes for good: rows nobody points to are deleted, others become tombstones without a person.

Both statements take what nobody holds, a bounded number at a time, and are simply run again.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
import sqlalchemy
from sqlalchemy import ColumnElement, ForeignKeyConstraint, Select, Table, bindparam, exists, literal_column, or_, select
from sqlalchemy.orm import DeclarativeBase

from pgkeel.access.compiled import Compiled
from pgkeel.access.statements import Statements, scalar

__all__ = ["PURGE_BATCH", "Purged", "bury", "delete_leaves", "soft_deleted_models"]

R = TypeVar("R")
PURGE_BATCH = 1_000
_HARMLESS = frozenset({"CASCADE", "SET NULL", "SET DEFAULT"})


class Purged(msgspec.Struct, frozen=True):
    """What a purge did.

    Attributes:
        deleted: Rows that are gone.
        buried: Rows that other rows still point to, which keep nothing of a person now.
    """

    deleted: int
    buried: int


def soft_deleted_models(base: type[DeclarativeBase]) -> list[Any]:
    """Return the models with a soft delete, those that point to others before them."""
    place = {table.fullname: number for number, table in enumerate(base.metadata.sorted_tables)}
    found = [
        mapper for mapper in base.registry.mappers if isinstance(mapper.local_table, Table) and "deleted_at" in mapper.columns
    ]
    tables = {mapper.class_: mapper.local_table for mapper in found}
    return sorted(tables, key=lambda model: -place[str(getattr(tables[model], "fullname", ""))])


def delete_leaves(statements: Statements[R]) -> Compiled[Any]:
    """Delete a batch of rows that were hidden before a time and that no foreign key holds; returns their keys."""
    shape = statements.shape

    def build() -> Any:  # noqa: ANN401 - a DELETE
        chosen = _hidden(statements).where(*(~held for held in _holds(shape.table)))
        return sqlalchemy.delete(shape.table).where(shape.key[0].in_(chosen)).returning(shape.key[0])

    return statements.compiled(("delete_leaves",), build, _NAMES, verb="purge", columns=shape.key[:1], into=scalar)


def bury(statements: Statements[R]) -> Compiled[Any] | None:
    """Make a batch of rows that were hidden before a time into tombstones; returns their keys. None where a model has none."""
    shape = statements.shape
    said: dict[str, str] = dict(getattr(shape.model, "__tombstone__", {}))
    if not said:
        return None
    values: dict[Any, ColumnElement[Any]] = {shape.table.c[name]: literal_column(text) for name, text in said.items()}

    def build() -> Any:  # noqa: ANN401 - an UPDATE
        chosen = _hidden(statements).where(or_(*(column.is_distinct_from(value) for column, value in values.items())))
        return sqlalchemy.update(shape.table).where(shape.key[0].in_(chosen)).values(values).returning(shape.key[0])

    return statements.compiled(("bury",), build, _NAMES, verb="purge", columns=shape.key[:1], into=scalar)


_NAMES = ["before", "rows"]


def _hidden(statements: Statements[Any]) -> Select[Any]:
    deleted_at = statements.shape.table.c.deleted_at
    chosen = select(statements.shape.key[0]).where(deleted_at < bindparam("before", type_=deleted_at.type))
    return chosen.order_by(deleted_at).limit(bindparam("rows")).with_for_update(skip_locked=True)


def _holds(table: Table) -> Iterator[ColumnElement[bool]]:
    """Yield, for each foreign key that would refuse the delete, whether a row points here by it."""
    for child in table.metadata.tables.values():
        keys = [key for key in child.constraints if isinstance(key, ForeignKeyConstraint) and key.referred_table is table]
        for key in keys:
            if (key.ondelete or "").upper() not in _HARMLESS:
                other = child.alias(f"{child.name}_held")
                same = [other.c[element.parent.name] == element.column for element in key.elements]
                yield exists().where(*same).correlate(table)
