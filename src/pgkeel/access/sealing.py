"""Seal what a caller writes into encrypted columns, before the statement is chosen."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

import msgspec
from sqlalchemy import Column
from sqlalchemy.engine import Dialect

from pgkeel.access.arguments import fields_of_row
from pgkeel.access.shape import Shape, lies_in_one_table, shape_of
from pgkeel.core.cipher import Cipher
from pgkeel.core.errors import UsageError
from pgkeel.core.normal_form import normal_form
from pgkeel.schema.encrypted import encrypted_models
from pgkeel.schema.row_fields import fields_of, sealed_name
from pgkeel.schema.sealed_type import EncryptedType, keys_of, new_key, row_key, sealed_values

__all__ = [
    "bound_row",
    "bound_rows",
    "is_bound_elsewhere",
    "sealed_fields",
    "sealed_place",
    "sealed_rows",
    "with_digests",
    "with_keys",
    "with_places",
]


R = TypeVar("R")


def bound_row(shape: Shape[R], row: R | None, dialect: Dialect) -> R | None:
    """Return a row that came out of a cache with what opens its encrypted fields; they lie sealed there, without keys."""
    keys = keys_of(dialect) if shape.encrypted else None
    return row if row is None or keys is None else _bound(shape, row, keys)


def bound_rows(value: Any, keys: Cipher) -> Any:  # noqa: ANN401 - what a cached function returned
    """Return a result that came out of a cache with what opens the encrypted fields of its rows, wherever they stand in it."""
    single = filter(lies_in_one_table, encrypted_models())
    shapes: dict[type, Shape[Any]] = {shape.row: shape for shape in map(shape_of, single)}

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
        UsageError: The value is no text, the new row's id cannot be made here, or the row would get another one.
    """
    if row is not None and shape.encrypted:
        fields = _without_key(shape, fields, row)
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


def _without_key(shape: Shape[Any], fields: Mapping[str, object], row: object) -> Mapping[str, object]:
    """Return fields without the row's own id; another one is refused, because the encrypted values would open no more."""
    for name, value in fields.items():
        if shape.column(name) is row_key(shape.table) and str(value) != str(row):
            message = f"{shape.name}.{name} stays what it is: encrypted values are bound to it"
            raise UsageError(message, hint="in a unit of work it may change: they are sealed anew")
    return {name: value for name, value in fields.items() if shape.column(name) is not row_key(shape.table)} or fields


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
    ids: dict[object, Any] = {normal_form(form, getattr(row, field)): getattr(row, key) for row in there}
    found = []
    for fields in given:
        value = None if fields[name] is None else normal_form(form, str(fields[name]))
        if value is None or value not in ids:  # no NULL is another one
            ids[value] = fields.get(key) or new_key(shape.table)
        found.append({**fields, key: ids[value]})
    return found


def is_bound_elsewhere(
    shape: Shape[Any], given: Sequence[Mapping[str, object]], place: Sequence[str], update: Sequence[str] | None
) -> bool:
    """Return whether an upsert changes encrypted values of rows that it does not find by the id to which they are bound."""
    key = row_key(shape.table)
    if not given or key in map(shape.column, place) or key not in shape.primary:
        return False
    changed = given[0] if update is None else update
    return any(isinstance(shape.column(name).type, EncryptedType) for name in changed)


def with_places(
    shape: Shape[Any], given: Iterable[Mapping[str, object]], place: Sequence[str], there: Iterable[Any]
) -> list[Mapping[str, object]]:
    """Return fields with the primary key of the row that has the same values in some columns; new values get an id.

    Args:
        shape: The model's.
        given: The fields of each row.
        place: The columns, as the caller names them.
        there: Rows of the table.
    """
    names = {field.column: field.name for field in fields_of(shape.model)}
    columns = [names[str(shape.column(name).name)] for name in place]
    keys = {str(column.name): names[str(column.name)] for column in shape.primary}
    known: dict[Any, dict[str, object]] = {
        _comparable(getattr(row, name) for name in columns): {key: getattr(row, name) for key, name in keys.items()}
        for row in there
    }
    key, has_equal_nulls = str(row_key(shape.table).name), shape.has_equal_nulls(place)
    found: list[Mapping[str, object]] = []
    for fields in given:
        values = _comparable(fields[name] for name in place)
        if values not in known or (None in values and not has_equal_nulls):
            known[values] = {key: fields.get(key) or new_key(shape.table)}
        found.append({**fields, **known[values]})
    return found


def _comparable(values: Iterable[Any]) -> Any:  # noqa: ANN401 - the values of a row
    """Return values in a form in which those of a caller equal those of a row: a UUID may be given as text."""
    return tuple(str(value) if isinstance(value, UUID) else value for value in values)
