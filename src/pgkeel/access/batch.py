"""Many rows on their way into a table: the columns of the first row, values as the driver writes them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

import msgspec
from sqlalchemy import Column
from sqlalchemy.engine import Dialect

from pgkeel.access.sealing import sealed_rows
from pgkeel.access.shape import Shape
from pgkeel.core.errors import UsageError

__all__ = ["Batch", "RowsBroke", "batch_of", "batches_of", "last_of"]

Processor = Callable[[Any], Any]
_MOST = 10_000


class RowsBroke(Exception):
    """The caller's rows raised `reason` while they were read."""

    def __init__(self, reason: Exception) -> None:
        """Keep it."""
        super().__init__()
        self.reason = reason


class Batch:
    """Rows for one table.

    Attributes:
        names: The caller's names of the columns.
        columns: Their names in the table.
        types: Their types as the server calls them.
        table: The table's name, after its schema if it has one.
        given: How many rows were read so far: in an error, the bad one is the last of them.
    """

    __slots__ = ("_changed", "_rows", "columns", "given", "names", "table", "types")

    def __init__(self, shape: Shape[Any], names: tuple[str, ...], rows: Iterator[tuple[Any, ...]], dialect: Dialect) -> None:
        """Prepare; `rows` are read once."""
        columns = [shape.column(name) for name in names]
        self.names = names
        self.columns = tuple(column.name for column in columns)
        self.types = tuple(_type_name(column, dialect) for column in columns)
        self.table = (shape.table.schema, shape.table.name) if shape.table.schema else (shape.table.name,)
        self.given = 0
        self._rows = rows
        processors = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
        self._changed = [(place, processor) for place, processor in enumerate(processors) if processor is not None]

    def records(self) -> Iterator[Sequence[object]]:
        """Yield the rows' values in the order of the columns, as the driver's COPY wants them."""
        changed = self._changed
        for row in self._rows:
            self.given += 1
            if not changed:
                yield row
                continue
            values = list(row)
            for place, processor in changed:
                values[place] = processor(values[place])
            yield values

    def guarded(self) -> Iterator[Sequence[object]]:
        """Yield the same for a driver, whose own errors look like those of a caller's rows (`OSError`): the latter are wrapped.

        Raises:
            RowsBroke: The caller's rows ended in an error.
        """
        try:
            yield from self.records()
        except Exception as err:
            raise RowsBroke(err) from err

    def values(self) -> list[tuple[Any, ...]]:
        """Return the values of each row; the statement's own types convert them."""
        return list(self._rows)


def batches_of(rows: Sequence[Sequence[object]], width: int) -> list[list[list[object]]]:
    """Return rows as columns, so many rows at once as the server keeps in memory while it looks for conflicts."""
    if not rows:
        return [[[] for _ in range(width)]]
    parts = (rows[first : first + _MOST] for first in range(0, len(rows), _MOST))
    return [[list(column) for column in zip(*part, strict=True)] for part in parts]


def last_of(
    rows: Sequence[tuple[Any, ...]], places: Sequence[int], *, has_equal_nulls: bool = False
) -> tuple[list[tuple[Any, ...]], list[int]]:
    """Return the last row of each key, in the order in which the keys first came, and for each row the place of its key.

    A statement may touch a row once only; of two rows with one key the later one counts.

    Args:
        rows: All rows.
        places: Where in a row its key stands.
        has_equal_nulls: Whether two keys with a NULL may be one, as they are for no usual constraint.
    """
    found: dict[object, int] = {}
    kept: list[tuple[Any, ...]] = []
    order = []
    get = itemgetter(*places)
    for row in rows:
        is_alone = not has_equal_nulls and any(row[place] is None for place in places)
        place = len(kept) if is_alone else found.setdefault(get(row), len(kept))
        if place == len(kept):
            kept.append(row)
        else:
            kept[place] = row
        order.append(place)
    return kept, order


def batch_of(shape: Shape[Any], rows: Iterable[object], dialect: Dialect) -> Batch | None:
    """Return the batch, or None when there are no rows.

    Raises:
        UsageError: A field is not a column of the model.
    """
    waiting = iter(sealed_rows(shape, rows, dialect))
    first = next(waiting, None)
    if first is None:
        return None
    names = _names(first)
    if not names:
        raise UsageError("a row without fields cannot be written in bulk", hint="insert_many([{'title': …}, …])")
    read = _from_structs if isinstance(first, msgspec.Struct) else _from_mappings
    return Batch(shape, names, read(names, chain((first,), waiting), type(first)), dialect)


def _names(row: object) -> tuple[str, ...]:
    if isinstance(row, msgspec.Struct):
        return row.__struct_fields__
    if not isinstance(row, Mapping):
        raise _strange(row)
    return tuple(row)


def _from_structs(names: tuple[str, ...], rows: Iterable[Any], kind: type) -> Iterator[tuple[Any, ...]]:
    get = attrgetter(*names)
    is_single = len(names) == 1
    for place, row in enumerate(rows):
        if type(row) is not kind:
            raise _uneven(place)
        yield (get(row),) if is_single else get(row)


def _from_mappings(names: tuple[str, ...], rows: Iterable[Any], _: type) -> Iterator[tuple[Any, ...]]:
    get, width = itemgetter(*names), len(names)
    for place, row in enumerate(rows):
        if type(row) is not dict and not isinstance(row, Mapping):
            raise _strange(row)
        try:
            values = get(row)
        except KeyError:
            raise _uneven(place) from None
        if len(row) != width:
            raise _uneven(place)
        yield values if width > 1 else (values,)


def _uneven(place: int) -> UsageError:
    return UsageError(f"row {place} of the batch has different fields", hint="give every row the fields of the first")


def _strange(row: object) -> UsageError:
    return UsageError(f"a row is a mapping or a struct, not a {type(row).__name__}", hint="insert_many([{'title': …}, …])")


def _type_name(column: Column[Any], dialect: Dialect) -> str:
    name = column.type.compile(dialect)
    return "timestamptz" if "WITH" in name else name.partition("(")[0].strip().lower()
