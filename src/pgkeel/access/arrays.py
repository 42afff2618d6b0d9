"""Arrays of a column's values that the server takes as they are.

An explicit cast to `varchar(255)[]` cuts longer texts off without a word, where an assignment refuses them: so the cast that a
driver writes beside an array must not have a length.
"""

from typing import Any

from sqlalchemy import ARRAY, CHAR, Enum, String, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

__all__ = ["array_of"]


def array_of(kind: TypeEngine[Any]) -> ARRAY[Any]:
    """Return the type of an array of such values, without a length."""
    return ARRAY(_unbounded(kind))


def _unbounded(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(kind, TypeDecorator):
        loose: Any = kind.copy()
        loose.impl = _unbounded(kind.impl_instance)
        return loose  # type: ignore[no-any-return] # the decorator again
    if isinstance(kind, CHAR):
        return Text()
    if isinstance(kind, String) and not isinstance(kind, Enum) and kind.length is not None:
        free = kind.copy()
        free.length = None
        return free
    return kind
