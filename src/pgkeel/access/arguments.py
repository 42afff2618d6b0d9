"""What callers pass to a repository: conditions, rows, keys, limits; what makes no sense is refused with a hint."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import ColumnElement

from pgkeel.access.shape import Shape
from pgkeel.core.errors import UsageError

__all__ = ["Condition", "Keyed", "Row", "conditions_of", "fields_of_row", "key_of", "limit_of", "single_key"]

K_co = TypeVar("K_co", covariant=True)
Condition = ColumnElement[bool] | bool
"""`Post.status == "draft"`; type checkers without SQLAlchemy's overloads see a comparison as `bool`."""
Row = Mapping[str, object] | msgspec.Struct


class Keyed(Protocol[K_co]):
    """A row with an `id`."""

    @property
    def id(self) -> K_co:
        """The key."""
        ...


def conditions_of(given: Iterable[Condition]) -> list[Any]:
    """Return the conditions, all of them expressions.

    Raises:
        UsageError: One is not: `Post.deleted_at is None` is Python's answer, not a condition.
    """
    conditions = list(given)
    if conditions and any(isinstance(condition, bool) or not isinstance(condition, ColumnElement) for condition in conditions):
        raise UsageError("a condition is an expression of the model's columns", hint='Post.status == "draft"')
    return conditions


def limit_of(limit: Any) -> Any:  # noqa: ANN401 - int gives int, None gives None
    """Return the limit.

    Raises:
        UsageError: It is not a whole number of at least 1.
    """
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise UsageError("a limit is a whole number of at least 1", hint="limit=50")
    return limit


def fields_of_row(row: object) -> Mapping[str, object]:
    """Return the fields of a row that is to be written.

    Raises:
        UsageError: It is neither a mapping nor a struct.
    """
    if isinstance(row, Mapping):
        return row
    if isinstance(row, msgspec.Struct):
        return {name: getattr(row, name) for name in row.__struct_fields__}
    raise UsageError(f"a row is a mapping or a struct, not a {type(row).__name__}", hint="insert_many([{'title': …}, …])")


def key_of(shape: Shape[Any], key: object) -> tuple[object, ...]:
    """Return the values of a key in the order of its columns.

    Raises:
        UsageError: It has another number of values than the model's key has columns.
    """
    if len(shape.key) == 1:
        return (key,)
    if not isinstance(key, tuple) or len(key) != len(shape.key):
        names = ", ".join(column.name for column in shape.key)
        raise UsageError(f"the key of {shape.name} is ({names})", hint="pass a tuple in this order")
    return key


def single_key(shape: Shape[Any]) -> None:
    """Refuse a model whose key has several columns.

    Raises:
        UsageError: It has.
    """
    if len(shape.key) > 1:
        raise UsageError(f"{shape.name} has a composite key", hint="use filter(…)")
