"""What a read of a model returns: a frozen struct, one class a model, with the columns in their order.

`pgkeel schema rows` writes the classes beside the models, so that type checkers see them; here they are found at run time.
"""

import importlib
import inspect
import keyword
import re
import sys
from collections.abc import Iterator
from functools import cache, partial
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints, overload

import msgspec
import sqlalchemy
from sqlalchemy.orm import Mapped, Mapper

from pgkeel.core.cipher import Sealed
from pgkeel.schema.contract import HasRow
from pgkeel.schema.sealed_type import EncryptedType, is_blind_index, row_key

__all__ = ["RowField", "fields_of", "row_class", "row_name"]

R = TypeVar("R")


class RowField(msgspec.Struct, frozen=True):
    """One field of a row.

    Attributes:
        name: The field's name: the column's, with an underscore behind where Python reserves the word.
        column: The column's name in the database.
        kind: Its Python type, `None` included where the column may be NULL.
        opens: The property that gives its clear text, where it is sealed; else "".
        key: The field whose value opens it.
    """

    name: str
    column: str
    kind: Any
    opens: str = ""
    key: str = ""


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
    opened = {field.opens: property(partial(_opened, field.name, field.key)) for field in fields if field.opens}
    return msgspec.defstruct(row_name(model), made, frozen=True, gc=False, module=model.__module__, namespace=opened)


def _opened(name: str, key: str, row: Any) -> str | None:  # noqa: ANN401 - a row
    sealed: Sealed | None = getattr(row, name)
    return None if sealed is None else sealed.reveal(getattr(row, key))


def fields_of(model: type) -> Iterator[RowField]:
    """Return a model's mapped columns with their Python types, in the table's order."""
    mapper: Mapper[Any] = sqlalchemy.inspect(model)
    attributes: dict[Any, str] = {attribute.columns[0]: attribute.key for attribute in mapper.column_attrs}
    for column in mapper.local_table.c:
        if column not in attributes or is_blind_index(column):
            continue
        name, kind = _field_name(column.name), _annotated(model, attributes[column])
        if isinstance(column.type, EncryptedType):
            sealed: Any = Union[Sealed, None] if column.nullable else Sealed  # noqa: UP007 - the operands are values
            yield RowField(sealed_name(column.name), str(column.name), sealed, name, _field_name(row_key(column.table).name))
        else:
            yield RowField(name, str(column.name), _from_column(column) if kind is None else kind)


def sealed_name(column: str) -> str:
    """Return the field of a row that holds an encrypted column as it is stored."""
    return f"{_field_name(column)}_sealed"


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
    try:
        kind: Any = column.type.python_type
    except NotImplementedError:
        return Any
    return Union[kind, None] if column.nullable else kind  # noqa: UP007 - the operands are values


def _written(model: type) -> Any:  # noqa: ANN401 - a class of a module found by name
    """Return the class from `rows` beside the model's module, else from a package further up."""
    parents = model.__module__.split(".")[:-1]
    beside = [".".join([*parents[:length], "rows"]) for length in range(len(parents), 0, -1)] or ["rows"]
    said = getattr(model, "__rows_module__", None)
    found = (_from_module(name, row_name(model)) for name in ([said] if said else beside))
    return next((struct for struct in found if struct is not None), None)


def _from_module(name: str, struct: str) -> Any:  # noqa: ANN401 - a class of a module found by name
    try:
        return getattr(importlib.import_module(name), struct, None)
    except ModuleNotFoundError as err:
        if err.name is None or not f"{name}.".startswith(f"{err.name}."):
            raise
        return None
