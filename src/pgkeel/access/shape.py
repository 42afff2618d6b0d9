"""What the statements need to know about a model, read once from its mapping."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
import sqlalchemy
from sqlalchemy import Column, Index, Table, UniqueConstraint
from sqlalchemy.orm import Mapper

import pgkeel.schema.lazy  # noqa: F401 - relationships of all models load by surprise no more
from pgkeel.access.cascades import carried_columns, dependents_of
from pgkeel.core.errors import UsageError
from pgkeel.schema import HasRow
from pgkeel.schema.caching import CachedRows, caching_of
from pgkeel.schema.mixins import deleted_status
from pgkeel.schema.row_fields import fields_of, row_class
from pgkeel.schema.sealed_type import encrypted_columns, indexed_column
from pgkeel.schema.search import Search, searches_of

__all__ = ["Shape", "lies_in_one_table", "shape_of", "suggestion"]

R = TypeVar("R")


class Shape(msgspec.Struct, Generic[R], frozen=True):
    """A model as its table, the struct of its rows, and the columns with a meaning.

    Attributes:
        model: The model.
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
        key_type: The Python type of a key of one column; None where there is no such type.
        key_of: Returns the key of a row.
        dependents: Tables whose rows change with those of this one: by soft delete, or as foreign keys say.
        carried: What a caller may call the columns of which a new value does that.
        searches: Language → its full-text search and the name of the index.
        cache: How its rows are cached, or None.
    """

    model: type
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
    key_type: type | None
    key_of: Callable[[object], tuple[object, ...]]
    dependents: tuple[str, ...]
    carried: frozenset[str]
    searches: Mapping[str, tuple[Search, str]]
    cache: CachedRows | None = None

    def column(self, name: str) -> Column[Any]:
        """Return the column that a caller named.

        Raises:
            UsageError: There is none; the hint names the nearest.
        """
        found = self.names.get(name)
        if found is None:
            raise UsageError(f"{self.name} has no column {name[:64]!r}", hint=suggestion(name, self.names))
        return found

    def has_equal_nulls(self, names: Iterable[str]) -> bool:
        """Return whether a unique constraint or index on these columns takes one NULL only (`NULLS NOT DISTINCT`)."""
        columns = {self.column(name) for name in names}
        keys: list[Any] = [*self.table.constraints, *self.table.indexes]
        return any(
            set(getattr(key, "columns", ())) == columns and bool(key.dialect_options["postgresql"].get("nulls_not_distinct"))
            for key in keys
            if isinstance(key, UniqueConstraint | Index)
        )

    def columns_of(self, constraint: str) -> tuple[str, ...]:
        """Return the columns of a constraint of this table by its name; () when it is not known."""
        primary = self.table.primary_key
        known = {str(one.name): one for one in self.table.constraints if one.name}
        found = known.get(constraint) or (primary if constraint == f"{self.table.name}_pkey" and not primary.name else None)
        if found is not None:
            return tuple(indexed_column(column) for column in getattr(found, "columns", ()))
        unique = [key for key in self.table.constraints if isinstance(key, UniqueConstraint)]
        named = [tuple(column.name for column in key.columns) for key in unique]
        return next((columns for columns in named if constraint == f"{self.table.name}_{'_'.join(columns)}_key"), ())


def suggestion(name: str, known: Mapping[str, object]) -> str:
    """Return a hint with the nearest known name."""
    import difflib  # noqa: PLC0415 - for errors only

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(known))}"


def lies_in_one_table(model: type) -> bool:
    """Return whether a model's rows are those of one table, not joined with those of the model from which it inherits."""
    return len(sqlalchemy.inspect(model).tables) == 1


def shape_of(model: HasRow[R]) -> Shape[R]:
    """Return the shape of a model.

    Raises:
        UsageError: It is not mapped to a table, or to several.
    """
    kind: Any = model
    mapper: Mapper[Any] = sqlalchemy.inspect(kind)
    table = mapper.local_table
    if not isinstance(table, Table):
        raise UsageError(f"{kind.__name__} is not mapped to a table", hint="a repository needs a table")
    if not lies_in_one_table(kind):
        several = ", ".join(one.name for one in mapper.tables if isinstance(one, Table))
        raise UsageError(f"{kind.__name__} lies in several tables: {several}", hint="read and write it in a unit of work")
    fields = list(fields_of(kind))
    names: dict[str, Column[Any]] = {attribute.key: table.c[attribute.columns[0].name] for attribute in mapper.column_attrs}
    names |= {column.name: column for column in table.c} | {field.name: table.c[field.column] for field in fields}
    primary = tuple(table.primary_key.columns)
    key = (table.c["id"],) if "id" in table.c else primary
    carried = carried_columns(table)
    return Shape(
        model=kind,
        name=kind.__name__,
        table=table,
        row=row_class(kind),
        columns=tuple(table.c[field.column] for field in fields),
        names=names,
        encrypted=encrypted_columns(table),
        key=key,
        primary=primary,
        deleted_at=table.c.get("deleted_at"),
        deleted_status=deleted_status(table),
        version=table.c.get("version"),
        key_type=_key_type(key),
        key_of=_key_reader([next(field.name for field in fields if field.column == column.name) for column in key]),
        dependents=dependents_of(table),
        carried=frozenset(name for name, column in names.items() if column.name in carried),
        searches=searches_of(kind, table),
        cache=caching_of(kind),
    )


def _key_type(key: Sequence[Column[Any]]) -> type | None:
    try:
        return key[0].type.python_type if len(key) == 1 else None
    except NotImplementedError:
        return None


def _key_reader(names: Sequence[str]) -> Callable[[object], tuple[object, ...]]:
    return lambda row: tuple(getattr(row, name) for name in names)
