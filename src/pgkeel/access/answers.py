"""What a `@query` function gives back, read from the annotation of its result."""

import types
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from pgkeel.access.handwritten import reader
from pgkeel.core.errors import UsageError

__all__ = ["Answer", "answer_of"]

Form = Literal["rows", "row", "row or none", "count", "stream"]
_WAYS = "-> list[Row], Row | None, Row, int or AsyncIterator[Row], where Row is a msgspec.Struct, a plain type or dict"


class Answer(msgspec.Struct, frozen=True):
    """What becomes of the rows of a statement.

    Attributes:
        form: How many there are: any number, exactly one, at most one, none but their count, or more than fit into memory.
        into: What a row becomes.
    """

    form: Form
    into: Any

    def of(self, name: str, rows: Sequence[Any]) -> Any:  # noqa: ANN401 - what the function's annotation says
        """Return what the caller gets.

        Raises:
            UsageError: There are more rows than the annotation allows.
        """
        if self.form == "rows":
            return rows
        if len(rows) > 1:
            raise UsageError(f"{name} found {len(rows)} rows where its annotation allows one", hint="-> list[…], or LIMIT 1")
        return rows[0] if rows else None

    def maker(self, names: Sequence[str]) -> Callable[..., Any]:
        """Return what makes a row of values in the order of these columns.

        Raises:
            UsageError: The columns do not fit.
        """
        read = reader(self.into, names)
        return lambda *values: read(values)


def answer_of(annotation: object) -> Answer:
    """Return what an annotation says.

    Raises:
        UsageError: It is none that rows of a database can become.
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is list:
        return Answer("rows", _into(inner[0]))
    if origin in (AsyncIterator, Iterator):
        return Answer("stream", _into(inner[0]))
    if origin in (Union, types.UnionType) and len(inner) == 2 and types.NoneType in inner:
        return Answer("row or none", _into(next(kind for kind in inner if kind is not types.NoneType)))
    return Answer("row", _into(annotation))


def _into(kind: Any) -> Any:  # noqa: ANN401 - a type of any kind
    origin = get_origin(kind) or kind
    if origin in (Union, types.UnionType):
        return object  # a column that may be NULL
    if not isinstance(origin, type) or issubclass(origin, (list, tuple, set, types.NoneType)):
        raise UsageError(f"rows cannot become {kind!r}", hint=_WAYS)
    return origin
