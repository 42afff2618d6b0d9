"""What the statements need to know about a model, read once from its mapping."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy
from sqlalchemy import Column, ColumnElement, Table, UniqueConstraint
from sqlalchemy.orm import Mapper
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.core.errors import UsageError
from pgkeel.schema import HasRow
from pgkeel.schema.mixins import deleted_status
from pgkeel.schema.row_fields import fields_of, row_class
from pgkeel.schema.sealed_type import encrypted_columns, indexed_column

__all__ = ["Shape", "shape_of", "suggestion"]

R = TypeVar("R")


class Shape(msgspec.Struct, Generic[R], frozen=True):
    """A model as its table, the struct of its rows, and the columns with a meaning.

    Attributes:
        name: The model's name, for errors.
        table: Its table.
        row: The struct of a row.
        columns: The columns of the struct, in its order.
        names: Every name by which a caller may call a column: of the row, of the table, of the model.
        encrypted: The columns whose values are sealed.
        key: What `get` takes: `id` where there is one, else the primary key.
        primary: The primary key, which ends every ordering.
        deleted_at: The column of a soft delete, or None.
        deleted_status: What `status` becomes with it, or None.
        version: The column of the optimistic lock, or None.
    """

    name: str
    table: Table
    row: type[R]
    columns: tuple[Column[Any], ...]
    names: Mapping[str, Column[Any]]
    encrypted: tuple[Column[Any], ...]
    key: tuple[Column[Any], ...]
    primary: tuple[Column[Any], ...]
    deleted_at: Column[Any] | None
    deleted_status: str | None
    version: Column[Any] | None

    def column(self, name: str) -> Column[Any]:
        """Return the column that a caller named.

        Raises:
            UsageError: There is none; the hint names the nearest.
        """
        found = self.names.get(name)
        if found is None:
            raise UsageError(f"{self.name} has no column {name[:64]!r}", hint=suggestion(name, self.names))
        return found

    def columns_of(self, constraint: str) -> tuple[str, ...]:
        """Return the columns of a constraint of this table by its name; () when it is not known."""
        for known in self.table.constraints:
            if known.name == constraint or (not known.name and constraint == f"{self.table.name}_pkey"):
                return tuple(indexed_column(column) for column in getattr(known, "columns", ()))
        unique = [key for key in self.table.constraints if isinstance(key, UniqueConstraint)]
        named = [tuple(column.name for column in key.columns) for key in unique]
        return next((columns for columns in named if constraint == f"{self.table.name}_{'_'.join(columns)}_key"), ())

    def search_vector(self) -> ColumnElement[Any]:
        """Return the expression of the model's full-text index, word for word, so that the index is used.

        Raises:
            UsageError: The model has no GIN index on `to_tsvector(…)`.
        """
        for index in self.table.indexes:
            for expression in index.expressions:
                if isinstance(expression, ClauseElement) and "to_tsvector(" in str(expression):
                    return sqlalchemy.literal_column(str(expression))
        raise UsageError(f"{self.name} has no full-text index", hint="add a GIN index on to_tsvector('english', …)")

    def search_language(self) -> ColumnElement[Any]:
        """Return the text search configuration that the index was made with, as it stands there."""
        inside = str(self.search_vector()).partition("to_tsvector(")[2]
        return sqlalchemy.literal_column(inside.partition(",")[0].strip())


def suggestion(name: str, known: Mapping[str, object]) -> str:
    """Return a hint with the nearest known name."""
    import difflib  # noqa: PLC0415 - for errors only

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(known))}"


def shape_of(model: HasRow[R]) -> Shape[R]:
    """Return the shape of a model.

    Raises:
        UsageError: It is not mapped to a table.
    """
    kind: Any = model
    mapper: Mapper[Any] = sqlalchemy.inspect(kind)
    table = mapper.local_table
    if not isinstance(table, Table):
        raise UsageError(f"{kind.__name__} is not mapped to a table", hint="a repository needs a table")
    fields = list(fields_of(kind))
    names: dict[str, Column[Any]] = {attribute.key: table.c[attribute.columns[0].name] for attribute in mapper.column_attrs}
    names |= {column.name: column for column in table.c} | {field.name: table.c[field.column] for field in fields}
    primary = tuple(table.primary_key.columns)
    return Shape(
        name=kind.__name__,
        table=table,
        row=row_class(kind),
        columns=tuple(table.c[field.column] for field in fields),
        names=names,
        encrypted=encrypted_columns(table),
        key=(table.c["id"],) if "id" in table.c else primary,
        primary=primary,
        deleted_at=table.c.get("deleted_at"),
        deleted_status=deleted_status(table),
        version=table.c.get("version"),
    )
