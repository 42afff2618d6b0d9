"""The values by which cached results are tagged: those of the columns in `cache = Row(tags=(…))`, of rows that are written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
import sqlalchemy
from sqlalchemy import Column
from sqlalchemy.engine import Dialect

from pgkeel.access.shape import Shape
from pgkeel.core.errors import UsageError
from pgkeel.core.normal_form import normal_form
from pgkeel.schema.caching import caching_of
from pgkeel.schema.sealed_type import EncryptedType, cipher_of

__all__ = ["Value", "tagged_columns", "values_of_fields", "values_of_instance", "values_of_rows", "values_wanted"]

Value = tuple[str, object]
_MOST_VALUES = 100


def tagged_columns(shape: Shape[Any]) -> tuple[str, ...]:
    """Return the columns by which the results of a model are tagged."""
    return tuple(getattr(shape.cache, "tags", ()))


def values_of_fields(shape: Shape[Any], fields: Mapping[str, object]) -> set[Value] | None:
    """Return the tagged values of a new row, or None where they are not all given.

    Args:
        shape: The model's.
        fields: As they are written: encrypted ones sealed, their digests beside them.
    """
    wanted = tagged_columns(shape)
    given = {str(shape.column(name).name) if name in shape.names else name: value for name, value in fields.items()}
    found: set[Value] = set()
    for name in wanted:
        column = shape.column(name)
        if isinstance(column.type, EncryptedType):
            digests = [given.get(f"{name}_bidx"), given.get(f"{name}_bidx_next")]
            found |= {(name, digest) for digest in digests if digest is not None}
        elif name in given:
            found.add((name, _plain(column, given[name])))
        if not any(known == name for known, _ in found):
            return None
    return found if wanted else None


def values_of_rows(shape: Shape[Any], names: Sequence[str], rows: Iterable[Sequence[object]]) -> set[Value] | None:
    """Return the tagged values of many new rows; None where they are not all given, or more than 100."""
    if not tagged_columns(shape):
        return None
    found: set[Value] = set()
    for row in rows:
        values = values_of_fields(shape, dict(zip(names, row, strict=True)))
        if values is None or len(found) > _MOST_VALUES:
            return None
        found |= values
    return found


def values_of_instance(instance: object) -> set[Value] | None:
    """Return the tagged values of an ORM instance that was flushed, as they were and as they are; None where nobody knows.

    What an old instance believes may be wrong by now, unless a version guards its row.
    """
    state: Any = sqlalchemy.inspect(instance)
    wanted = tuple(getattr(caching_of(type(instance)), "tags", ()))
    if not wanted or not (state.mapper.version_id_col is not None or state.pending):
        return None
    found: set[Value] = set()
    for name in wanted:
        attribute = state.mapper.get_property_by_column(state.mapper.local_table.c[name]).key
        history = state.attrs[attribute].history
        values = [*(history.added or ()), *(history.unchanged or ()), *(history.deleted or ())]
        column = state.mapper.local_table.c[name]
        if not values or isinstance(column.type, EncryptedType):
            return None
        found |= {(name, _plain(column, value)) for value in values}
    return found


def values_wanted(shape: Shape[Any], given: Mapping[str, object], dialect: Dialect) -> tuple[Value, ...]:
    """Return the values that a reader names as those who write them do; of an encrypted column its blind index.

    Raises:
        UsageError: The model has no such column, or the value is not of its type.
        ConfigError: The handle has no keys.
    """
    return tuple(sorted(_wanted(shape, given, dialect), key=lambda pair: pair[0]))


def _wanted(shape: Shape[Any], given: Mapping[str, object], dialect: Dialect) -> Iterable[Value]:
    for name, value in given.items():
        column = shape.column(name)
        kind = column.type
        if not isinstance(kind, EncryptedType):
            yield str(column.name), _plain(column, value)
            continue
        if kind.index is None or not isinstance(value, str):
            raise UsageError(f"{shape.name}.{name} is encrypted and has no blind index", hint='Encrypted(index="exact")')
        written = cast("Any", cipher_of(dialect, kind.table, kind.column)).written(normal_form(kind.index, value))
        yield str(column.name), written[0]


def _plain(column: Column[Any], value: object) -> object:
    """Return a value in its one form: a UUID and its text are the same tag."""
    try:
        return value if value is None else msgspec.convert(value, column.type.python_type, strict=False)
    except (msgspec.ValidationError, NotImplementedError) as err:
        raise UsageError(f"{column.name} cannot be a tag with this value: {err}", hint="pass one of the column's type") from err
