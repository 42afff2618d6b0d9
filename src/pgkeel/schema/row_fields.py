"""What a read of a model returns: a frozen struct, one class a model, with the columns in their order.

`pgkeel schema rows` writes the classes beside the models, so that type checkers see them; here they are found at run time.
"""

import importlib
import inspect
import keyword
import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints, overload

import msgspec
import sqlalchemy
from sqlalchemy.orm import Mapped, Mapper

from pgkeel.schema.contract import HasRow

__all__ = ["RowField", "fields_of", "row_class", "row_name"]

R = TypeVar("R")


class RowField(msgspec.Struct, frozen=True):
    """One field of a row.

    Attributes:
        name: The field's name: the column's, with an underscore behind where Python reserves the word.
        column: The column's name in the database.
        kind: Its Python type, `None` included where the column may be NULL.
    """

    name: str
    column: str
    kind: Any


def row_name(model: type) -> str:
    """Return the name of a model's row class, for example PostRow."""
    return f"{model.__name__}Row"


@overload
def row_class(model: type[HasRow[R]]) -> type[R]: ...


@overload
def row_class(model: type) -> type[Any]: ...


def row_class(model: type) -> type[Any]:
    """Return the struct class of a model: the written one beside the models where it is up to date, else one made once.

    Its fields are the mapped columns in the table's order. A model whose rows are written elsewhere says where:
    `__rows_module__ = "app.rows"`.
    """
    struct: type[Any] = _struct(model)
    return struct


@cache
def _struct(model: type) -> Any:  # noqa: ANN401 - a class found by name or made at run time
    fields = tuple(fields_of(model))
    written = _written(model)
    if written is not None and written.__struct_fields__ == tuple(field.name for field in fields):
        return written
    made = [(field.name, field.kind) for field in fields]
    return msgspec.defstruct(row_name(model), made, frozen=True, gc=False, module=model.__module__)


def fields_of(model: type) -> Iterator[RowField]:
    """Return a model's mapped columns with their Python types, in the table's order."""
    mapper: Mapper[Any] = sqlalchemy.inspect(model)
    attributes: dict[Any, str] = {attribute.columns[0]: attribute.key for attribute in mapper.column_attrs}
    for column in mapper.local_table.c:
        if column in attributes:
            kind = _annotated(model, attributes[column])
            yield RowField(_field_name(column.name), str(column.name), _from_column(column) if kind is None else kind)


def _field_name(column: str) -> str:
    name = re.sub(r"\W", "_", column)
    name = f"field_{name}" if name[0].isdigit() or name[0] == "_" else name
    return f"{name}_" if keyword.iskeyword(name) else name


def _annotated(model: type, attribute: str) -> Any:  # noqa: ANN401 - any type
    """Return what `Mapped[…]` holds for an attribute, or None where nothing is said or a name cannot be found."""
    for base in model.__mro__:
        said = inspect.get_annotations(base).get(attribute)
        if said is not None:
            return _resolved(said, vars(sys.modules[base.__module__]))
    return None


def _resolved(said: Any, names: dict[str, Any]) -> Any:  # noqa: ANN401 - any type
    holder = type("Holder", (), {"__annotations__": {"it": said}})
    try:
        hint = get_type_hints(holder, globalns=names)["it"]
    except NameError:
        return None
    return get_args(hint)[0] if get_origin(hint) is Mapped else None


def _from_column(column: Any) -> Any:  # noqa: ANN401 - a column of any type
    kind: Any = column.type.python_type
    return Union[kind, None] if column.nullable else kind  # noqa: UP007 - the operands are values


def _written(model: type) -> Any:  # noqa: ANN401 - a class of a module found by name
    package = model.__module__.rpartition(".")[0]
    name = getattr(model, "__rows_module__", f"{package}.rows" if package else "rows")
    try:
        return getattr(importlib.import_module(name), row_name(model), None)
    except ModuleNotFoundError as err:
        if err.name is None or not f"{name}.".startswith(f"{err.name}."):
            raise
        return None
