"""Seal what a caller writes into encrypted columns, before the statement is chosen."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
from sqlalchemy import Column
from sqlalchemy.engine import Dialect

from pgkeel.access.arguments import fields_of_row
from pgkeel.access.shape import Shape, shape_of
from pgkeel.core.cipher import Cipher
from pgkeel.core.errors import UsageError
from pgkeel.core.normal_form import normal_form
from pgkeel.schema.encrypted import encrypted_models
from pgkeel.schema.row_fields import sealed_name
from pgkeel.schema.sealed_type import EncryptedType, keys_of, new_key, row_key, sealed_values

__all__ = ["bound_row", "bound_rows", "sealed_fields", "sealed_place", "sealed_rows", "with_digests", "with_keys"]


R = TypeVar("R")


def bound_row(shape: Shape[R], row: R | None, dialect: Dialect) -> R | None:
    """Return a row that came out of a cache with what opens its encrypted fields; they lie sealed there, without keys."""
    keys = keys_of(dialect) if shape.encrypted else None
    return row if row is None or keys is None else _bound(shape, row, keys)


def bound_rows(value: Any, keys: Cipher) -> Any:  # noqa: ANN401 - what a cached function returned
    """Return a result that came out of a cache with what opens the encrypted fields of its rows, wherever they stand in it."""
    shapes: dict[type, Shape[Any]] = {shape.row: shape for shape in map(shape_of, encrypted_models())}

    def bound(one: Any) -> Any:  # noqa: ANN401 - as above
        match one:
            case msgspec.Struct() if type(one) in shapes:
                return _bound(shapes[type(one)], one, keys)
            case msgspec.Struct():
                return msgspec.structs.replace(one, **{name: bound(getattr(one, name)) for name in one.__struct_fields__})
            case list() | set() | frozenset() | tuple():
                return getattr(type(one), "_make", type(one))(map(bound, one))
            case dict():
                return {key: bound(each) for key, each in one.items()}
            case _:
                return one

    return bound(value)


def _bound(shape: Shape[R], row: R, keys: Cipher) -> R:
    opened: dict[str, Any] = {}
    for column in shape.encrypted:
        field = sealed_name(str(column.name))
        value = getattr(row, field)
        if value is not None:
            opened[field] = value.bound(keys.field(str(shape.table.fullname), str(column.name)))
    return cast("R", msgspec.structs.replace(cast("msgspec.Struct", row), **opened))


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


def sealed_place(shape: Shape[Any], names: Sequence[str]) -> Column[Any] | None:
    """Return the encrypted column that decides whether a row is there; None where none does.

    Raises:
        UsageError: It has no blind index, or does not stand alone.
    """
    chosen = [column for column in shape.encrypted if column.name in {shape.column(name).name for name in names}]
    if not chosen:
        return None
    if len(names) > 1 or cast("EncryptedType", chosen[0].type).index is None:
        raise UsageError(f"{shape.name}.{chosen[0].name} is encrypted: it decides alone, and by a blind index", hint='on="id"')
    return chosen[0]


def with_digests(shape: Shape[Any], names: Iterable[str]) -> tuple[str, ...]:
    """Return names of columns, and with each encrypted one those that stand beside it."""
    found: list[str] = []
    for name in names:
        column = shape.column(name)
        is_found = isinstance(column.type, EncryptedType) and column.type.index is not None
        found += [column.name, f"{column.name}_bidx", f"{column.name}_bidx_next"] if is_found else [name]
    return tuple(found)


def with_keys(
    shape: Shape[Any], given: Iterable[Mapping[str, object]], name: str, column: Column[Any], there: Iterable[Any]
) -> list[Any]:
    """Return fields with the id of the row that has the same value in an encrypted column; a new value gets one.

    Args:
        shape: The model's.
        given: The fields of each row.
        name: As which the caller names the column.
        column: The encrypted column.
        there: Rows of the table.
    """
    form = str(cast("EncryptedType", column.type).index)
    key, field = str(row_key(shape.table).name), str(column.name)
    ids = {normal_form(form, getattr(row, field)): getattr(row, key) for row in there}
    found = []
    for fields in given:
        value = normal_form(form, str(fields[name]))
        if value not in ids:
            ids[value] = fields.get(key) or new_key(shape.table)
        found.append({**fields, key: ids[value]})
    return found
