"""Many rows on their way into a table: the columns of the first row, values as the driver writes them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import Column
from sqlalchemy.engine import Dialect

from pgkeel.access.arguments import fields_of_row
from pgkeel.access.sealing import sealed_rows
from pgkeel.access.shape import Shape
from pgkeel.core.errors import UsageError

__all__ = ["Batch", "batch_of"]


class Batch(msgspec.Struct, frozen=True):
    """Rows for one table.

    Attributes:
        names: The caller's names of the columns.
        columns: Their names in the table.
        types: Their types as the server calls them.
        table: The table's name, after its schema if it has one.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]
    types: tuple[str, ...]
    table: tuple[str, ...]
    _rows: Iterator[object]
    _processors: tuple[Any, ...]

    def records(self) -> Iterator[Sequence[object]]:
        """Yield the rows' values in the order of the columns, as the driver's COPY wants them."""
        changed = [(place, processor) for place, processor in enumerate(self._processors) if processor is not None]
        for row in self._rows:
            values = self._values(row)
            for place, processor in changed:
                values[place] = processor(values[place])
            yield values

    def arrays(self) -> list[list[object]]:
        """Return the values of each column; the statement's own types convert them."""
        rows = [self._values(row) for row in self._rows]
        return [list(column) for column in zip(*rows, strict=True)]

    def _values(self, row: object) -> list[object]:
        fields = fields_of_row(row)
        if len(fields) != len(self.names):
            raise UsageError("the rows of a batch have different fields", hint="give every row the fields of the first")
        try:
            return [fields[name] for name in self.names]
        except KeyError:
            raise UsageError("the rows of a batch have different fields", hint="give every row the fields of the first") from None


def batch_of(shape: Shape[Any], rows: Iterable[object], dialect: Dialect) -> Batch | None:
    """Return the batch, or None when there are no rows.

    Raises:
        UsageError: A field is not a column of the model.
    """
    waiting = iter(sealed_rows(shape, rows, dialect))
    first = next(waiting, None)
    if first is None:
        return None
    names = tuple(fields_of_row(first))
    columns = [shape.column(name) for name in names]
    table = shape.table
    return Batch(
        names=names,
        columns=tuple(column.name for column in columns),
        types=tuple(_type_name(column, dialect) for column in columns),
        table=(table.schema, table.name) if table.schema else (table.name,),
        _rows=chain((first,), waiting),
        _processors=tuple(column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns),
    )


def _type_name(column: Column[Any], dialect: Dialect) -> str:
    return (
        column.type.compile(dialect).partition("(")[0].strip().lower()
        if "WITH" not in column.type.compile(dialect)
        else "timestamptz"
    )
