"""Seal what a caller writes into encrypted columns, before the statement is chosen."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.engine import Dialect

from pgkeel.access.arguments import fields_of_row
from pgkeel.access.shape import Shape
from pgkeel.schema.sealed_type import new_key, row_key, sealed_values

__all__ = ["sealed_fields", "sealed_rows"]


def sealed_fields(shape: Shape[Any], fields: Mapping[str, object], dialect: Dialect, *, row: object = None) -> Mapping[str, Any]:
    """Return fields with those of encrypted columns sealed, and with what stands beside them; a new row gets its id.

    Args:
        shape: The model's.
        fields: As the caller names them.
        dialect: Carries the keys.
        row: The row's id; None for a new row.

    Raises:
        ConfigError: The handle has no keys.
        UsageError: The value is no text, or the new row's id cannot be made here.
    """
    named = {str(shape.column(name).name): name for name in fields} if shape.encrypted else {}
    sealed = [column for column in shape.encrypted if column.name in named]
    if not sealed:
        return fields
    found: dict[str, Any] = dict(fields)
    key = str(row_key(shape.table).name)
    if row is None:
        row = found.get(named.get(key, key))
    if row is None:
        row = found[key] = new_key(shape.table)
    for column in sealed:
        value = found.pop(named[column.name])
        found |= sealed_values(column, value, row, dialect)
    return found


def sealed_rows(shape: Shape[Any], rows: Iterable[object], dialect: Dialect) -> Iterable[object]:
    """Return rows, each as `sealed_fields` gives it."""
    if not shape.encrypted:
        return rows
    return (sealed_fields(shape, fields_of_row(row), dialect) for row in rows)
