"""Tables, their columns, and how many rows of one belong to how many of another."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

__all__ = ["Cardinality", "Diagram", "Entity", "Field", "ForeignKey", "Relation", "Table", "diagram_of", "short_type"]

Cardinality = Literal["1:1", "1:N", "N:M"]

_SHORT = (
    (re.compile(r"character varying", re.IGNORECASE), "varchar"),
    (re.compile(r"timestamp(\(\d\))? with time zone", re.IGNORECASE), r"timestamptz\1"),
    (re.compile(r"timestamp(\(\d\))? without time zone", re.IGNORECASE), r"timestamp\1"),
    (re.compile(r", "), ","),
)


class ForeignKey(msgspec.Struct, frozen=True, order=True):
    """A foreign key of a table: its columns, and the table with the columns that they point to."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


class Field(msgspec.Struct, frozen=True):
    """A column as a picture shows it."""

    name: str
    type: str
    is_nullable: bool
    is_primary: bool
    is_unique: bool
    is_foreign: bool


class Table(msgspec.Struct, frozen=True):
    """What must be known of a table; `unique` holds the column sets that are unique, the primary key's too."""

    name: str
    columns: tuple[tuple[str, str, bool], ...]
    primary_key: tuple[str, ...]
    unique: frozenset[frozenset[str]]
    foreign_keys: tuple[ForeignKey, ...]


class Entity(msgspec.Struct, frozen=True):
    """A box of the picture.

    Attributes:
        name: The table.
        fields: Its columns in their order.
        joins: The two tables whose N:M relation it carries, or None.
    """

    name: str
    fields: tuple[Field, ...]
    joins: tuple[str, str] | None = None


class Relation(msgspec.Struct, frozen=True):
    """A line of the picture.

    Attributes:
        parent: The side that stands alone.
        child: The side that points to it; for N:M the other end.
        cardinality: How many to how many.
        columns: The child's columns; empty for N:M.
        parent_columns: What they point to; empty for N:M.
        is_optional: Whether a child may have no parent.
        via: The table between the ends of an N:M relation, else "".
    """

    parent: str
    child: str
    cardinality: Cardinality
    columns: tuple[str, ...] = ()
    parent_columns: tuple[str, ...] = ()
    is_optional: bool = False
    via: str = ""


class Diagram(msgspec.Struct, frozen=True):
    """Boxes and lines, sorted by name."""

    entities: tuple[Entity, ...]
    relations: tuple[Relation, ...]


def short_type(sql: str) -> str:
    """Return a type as people write it: `varchar(20)`, `timestamptz`, `numeric(19,4)`."""
    short = sql.lower() if sql.upper() == sql else sql
    for pattern, word in _SHORT:
        short = pattern.sub(word, short)
    return short


def diagram_of(tables: Iterable[Table]) -> Diagram:
    """Return the boxes and lines of some tables; a foreign key to a table that is not among them is left out."""
    known = {table.name: table for table in sorted(tables, key=lambda table: table.name)}
    entities = tuple(_entity(table) for table in known.values())
    lines = [line for table in known.values() for line in _relations(table) if line.parent in known and line.child in known]
    ordered = sorted(lines, key=lambda line: (line.parent, line.child, line.via, line.columns))
    return Diagram(entities, tuple(ordered))


def _entity(table: Table) -> Entity:
    foreign = {column for key in table.foreign_keys for column in key.columns}
    fields = tuple(
        Field(name, kind, is_nullable, name in table.primary_key, frozenset({name}) in table.unique, name in foreign)
        for name, kind, is_nullable in table.columns
    )
    ends = _joined(table)
    return Entity(table.name, fields, (ends[0].parent, ends[1].parent) if ends else None)


def _joined(table: Table) -> tuple[ForeignKey, ForeignKey] | None:
    """Return the two foreign keys that together are the primary key: the mark of a table between two others."""
    inside = [key for key in table.foreign_keys if set(key.columns) <= set(table.primary_key)]
    if len(inside) != 2 or sorted(inside[0].columns + inside[1].columns) != sorted(table.primary_key):
        return None
    first, second = sorted(inside, key=lambda key: table.primary_key.index(key.columns[0]))
    return first, second


def _relations(table: Table) -> Iterator[Relation]:
    nullable = {name for name, _, is_nullable in table.columns if is_nullable}
    for key in table.foreign_keys:
        alone = any(unique <= set(key.columns) for unique in table.unique)
        optional = bool(nullable & set(key.columns))
        yield Relation(key.parent, table.name, "1:1" if alone else "1:N", key.columns, key.parent_columns, optional)
    ends = _joined(table)
    if ends:
        yield Relation(ends[0].parent, ends[1].parent, "N:M", via=table.name)
