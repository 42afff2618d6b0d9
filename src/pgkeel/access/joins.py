"""Rows together with the rows that they are related to: one row by a join, many by one more statement."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec
import sqlalchemy
from sqlalchemy import ARRAY, ColumnElement, FromClause, bindparam, func, select
from sqlalchemy.orm import RelationshipProperty, aliased
from sqlalchemy.orm import join as orm_join
from sqlalchemy.sql.util import ClauseAdapter

from pgkeel.access.compiled import Compiled
from pgkeel.access.shape import Shape, shape_of
from pgkeel.access.statements import Statements
from pgkeel.core.errors import UsageError

__all__ = ["JoinedStatements", "Relation", "related", "relation_of"]

R = TypeVar("R")


class Relation(msgspec.Struct, frozen=True, eq=False):
    """A relationship of a model.

    Attributes:
        attribute: The model's attribute.
        shape: The model at its other end.
        is_many: Whether it has many rows there.
    """

    attribute: Any
    shape: Shape[Any]
    is_many: bool


class JoinedStatements(Statements[Any]):
    """The statements of a model that read its rows with those to the other end of its to-one relationships.

    A row is a list: the model's own, then for each relationship the row, None, or an empty list for `related` to fill.
    """

    def __init__(self, own: Statements[Any], relations: Sequence[Relation]) -> None:
        """Join what has one row at its other end."""
        super().__init__(own.shape, own.dialect)
        self.relations = tuple(relations)
        self.readers: list[Callable[[Sequence[Any]], Any]] = [_reader(own.shape, 0)]
        for relation in relations:
            self.readers.append(list if relation.is_many else self._join(relation))
        self.into = self._row

    def _join(self, relation: Relation) -> Callable[[Sequence[Any]], Any]:
        """Add the other end to what is selected, and return what finds its row again."""
        target: Any = aliased(relation.shape.model)
        table: FromClause = sqlalchemy.inspect(target).selectable
        self.source = orm_join(self.source, target, relation.attribute.of_type(target), isouter=True)
        start = len(self.result)
        self.result = (*self.result, *(table.c[column.name] for column in relation.shape.columns))
        return _reader(relation.shape, start)

    def _row(self, *values: Any) -> list[Any]:  # noqa: ANN401 - the record's values
        head, *others = self.readers
        return [head(values), *([] if read is list else read(values) for read in others)]


def _reader(shape: Shape[Any], start: int) -> Callable[[Sequence[Any]], Any]:
    """Return what makes a piece of a record into a row; None where an outer join found none."""
    stop, row = start + len(shape.columns), shape.row
    key = start + next(place for place, column in enumerate(shape.columns) if column.primary_key)
    return lambda values: None if values[key] is None else row(*values[start:stop])


def relation_of(shape: Shape[Any], attribute: object) -> Relation:
    """Return a relationship of a model.

    Raises:
        UsageError: It is none, or belongs to another model.
    """
    found = getattr(attribute, "property", None)
    if not isinstance(found, RelationshipProperty) or found.parent.local_table is not shape.table:
        raise UsageError(f"{shape.name} includes its own relationships only", hint="e.g. db.repository(Post).include(Post.user)")
    is_many = bool(found.uselist)
    if is_many and len(shape.key) > 1:
        raise UsageError(f"{shape.name} has a composite key", hint="read the other rows by filter(…)")
    return Relation(attribute, shape_of(cast("Any", found.mapper.class_)), is_many)


def related(statements: Statements[R], relation: Relation, *, with_deleted: bool) -> Compiled[tuple[object, Any]]:
    """Return the statement for the rows at the other end, for an array of keys: one record a pair of key and row."""
    key = statements.shape.key[0]
    target: Any = aliased(relation.shape.model)
    table: FromClause = sqlalchemy.inspect(target).selectable
    columns: list[ColumnElement[Any]] = [key, *(table.c[column.name] for column in relation.shape.columns)]

    def build() -> sqlalchemy.Select[Any]:
        joined = orm_join(statements.shape.model, target, relation.attribute.of_type(target))
        chosen = select(*columns).select_from(joined).where(key == func.any(bindparam("keys", type_=ARRAY(key.type))))
        hidden = relation.shape.deleted_at
        if hidden is not None and not with_deleted:
            chosen = chosen.where(table.c[hidden.name].is_(None))
        return chosen.order_by(*_order(relation, table))

    return statements.compiled(
        ("related", relation.attribute.key, with_deleted),
        build,
        ["keys"],
        verb=f"include({relation.attribute.key})",
        columns=columns,
        into=lambda owner, *values: (owner, relation.shape.row(*values)),
    )


def _order(relation: Relation, table: FromClause) -> list[ColumnElement[Any]]:
    said = relation.attribute.property.order_by or ()
    asked: list[ColumnElement[Any]] = [ClauseAdapter(table).traverse(each) for each in said]
    return [*asked, *(table.c[column.name] for column in relation.shape.primary)]
