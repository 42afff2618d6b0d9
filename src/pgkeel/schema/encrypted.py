"""`email: Mapped[str] = Encrypted(index="email")`: a text that only the key ring opens, and only in its own row.

The column is `bytea`; beside it may stand `…_bidx` (a keyed hash of the normal form, by which equal values are found) and
`…_bidx_next` (filled while keys are rotated). Values open when they are read: nothing clear is in a row, a cache or a repr.
"""

from typing import Any, cast
from weakref import WeakSet

from sqlalchemy import Column, Index, LargeBinary, Table, UniqueConstraint, event
from sqlalchemy.orm import MappedColumn, Mapper, mapped_column
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.base import NO_VALUE, _MappedAttribute
from sqlalchemy.sql.elements import conv

from pgkeel.core.cipher import Sealed
from pgkeel.core.errors import UsageError
from pgkeel.core.normal_form import NORMAL_FORMS
from pgkeel.schema.sealed_type import INDEX_OF, EncryptedType, cipher_of, encrypted_columns, new_key, row_key, sealed_values

__all__ = ["Encrypted", "encrypted_models", "has_encrypted"]

_NOTHING = object()
_tables: set[str] = set()
_models: WeakSet[type] = WeakSet()


def Encrypted(  # noqa: N802 - reads as a type in a model
    *,
    index: str | None = None,
    unique: bool | str = False,
    sort_order: int = 0,
    secret: bool = False,
    subject: bool = False,
) -> MappedColumn[Any]:
    """Return a column of sealed texts: `Mapped[str]`, or `Mapped[str | None]`.

    Args:
        index: The normal form by which equal values are found: `exact`, `email`, `caseless`, `digits`. None: they cannot be.
            An index tells whoever reads the table which rows have equal values: give none to a column of few different ones.
        unique: Whether two rows may not have equal values; the name of the constraint, or True for the usual one.
        sort_order: As of `mapped_column`.
        secret: Whether it is a secret rather than personal data.
        subject: Whether the row is a person who may be erased: values are sealed by a key of that person, too.

    Raises:
        UsageError: There is no such normal form, or `unique` stands without an index.
    """
    if index is not None and index not in NORMAL_FORMS:
        raise UsageError(f"there is no normal form {index!r}", hint=f"one of {', '.join(NORMAL_FORMS)}")
    if unique and index is None:
        raise UsageError("a column without index= cannot be unique", hint='Encrypted(index="exact", unique=True)')
    name = unique if isinstance(unique, str) else "" if unique else None
    return mapped_column(
        EncryptedType(index, name, subject=subject), sort_order=sort_order, info={"secret" if secret else "pii": True}
    )


def has_encrypted(table: str) -> bool:
    """Return whether a model that is loaded has an encrypted column in this table; what is read from it may hold clear texts."""
    return table.removeprefix("public.") in _tables


def encrypted_models() -> tuple[Any, ...]:
    """Return the models with encrypted columns that are loaded."""
    return tuple(_models)


@event.listens_for(Column, "after_parent_attach")
def _name_field(column: Column[Any], table: object) -> None:
    """Tell the type where it stands: a sealed value is bound to that."""
    if isinstance(table, Table) and isinstance(column.type, EncryptedType):
        kind = column.type
        column.type = EncryptedType(kind.index, kind.unique, table.fullname, column.name, subject=kind.subject)
        _tables.add(str(table.fullname).removeprefix("public."))


@event.listens_for(Mapper, "instrument_class")
def _add_indexes(mapper: Mapper[Any], _: type) -> None:
    """Give the table the columns by which values are found, before the mapper reads its columns."""
    table = mapper.local_table
    for column in encrypted_columns(table) if isinstance(table, Table) else ():
        row_key(column.table)
        kind = cast("EncryptedType", column.type)
        if kind.index is not None and f"{column.name}_bidx" not in table.c:
            _add_index(column.table, column, kind.unique)


def _add_index(table: Table, column: Column[Any], unique: str | None) -> None:
    now, then = f"{column.name}_bidx", f"{column.name}_bidx_next"
    table.append_column(Column(now, LargeBinary, nullable=bool(column.nullable), info={INDEX_OF: column.name}))
    table.append_column(Column(then, LargeBinary, nullable=True, info={INDEX_OF: column.name}))
    if unique is None:
        Index(conv(f"idx_{table.name}_{now}"), table.c[now])
        Index(conv(f"idx_{table.name}_{then}"), table.c[then])
        return
    table.append_constraint(UniqueConstraint(now, name=conv(unique or f"{table.name}_{now}_key")))
    table.append_constraint(UniqueConstraint(then, name=conv(f"{table.name}_{then}_key")))


@event.listens_for(Mapper, "after_mapper_constructed")
def _open_attributes(mapper: Mapper[Any], model: type) -> None:
    """Let attributes give clear text, and seal what they were given before it is written."""
    sealed = _sealed_attributes(mapper)
    for name, column in sealed.items():
        key = mapper.get_property_by_column(row_key(column.table)).key
        type.__setattr__(model, name, _Opening(getattr(model, name), key))
    if sealed:
        _models.add(model)
    if sealed and not any(_sealed_attributes(above) for above in mapper.iterate_to_root() if above is not mapper):
        event.listen(mapper, "before_insert", _seal, propagate=True)
        event.listen(mapper, "before_update", _seal, propagate=True)


class _Opening(_MappedAttribute[Any]):
    """The attribute of a model: on the class SQLAlchemy's own, on an object the clear text.

    Its base tells SQLAlchemy that it stands for a column, so that models which inherit map the column, too.
    """

    def __init__(self, inner: Any, key: str) -> None:  # noqa: ANN401 - SQLAlchemy's attribute
        self._inner = inner
        self._key = key

    def __get__(self, instance: object, owner: type) -> Any:  # noqa: ANN401 - an attribute or a text
        value = self._inner.__get__(instance, owner)
        return value.reveal(_bound_to(instance, self._key)) if isinstance(value, Sealed) else value

    def __set__(self, instance: object, value: object) -> None:
        self._inner.__set__(instance, value)

    def __delete__(self, instance: object) -> None:
        self._inner.__delete__(instance)


def _bound_to(instance: Any, key: str) -> object:  # noqa: ANN401 - an object of a mapper
    """Return the id to which the sealed values of an object are bound: the one that is stored, if it was given another one."""
    before = instance_state(instance).committed_state.get(key)
    return getattr(instance, key) if before is None or before is NO_VALUE else before


def _seal(mapper: Mapper[Any], connection: Any, target: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
    """Seal the texts that an object was given; a new one gets its id first."""
    for attribute, column in _sealed_attributes(mapper).items():
        value = _unsealed(mapper, target, attribute, column)
        if value is _NOTHING:
            continue
        found = sealed_values(column, value, _key_of(mapper, target), connection.dialect)
        for name, content in found.items():
            setattr(target, mapper.get_property_by_column(column.table.c[name]).key, content)
        if found[column.name] is not None:
            cipher = cipher_of(connection.dialect, column.table.fullname, column.name)
            setattr(target, attribute, Sealed(found[column.name], cipher))


def _unsealed(mapper: Mapper[Any], target: Any, attribute: str, column: Column[Any]) -> Any:  # noqa: ANN401 - as above
    """Return what is to be sealed: a text that was given, or the one that is stored if the object gets another id."""
    key = mapper.get_property_by_column(row_key(column.table)).key
    state = instance_state(target)
    if state.has_identity and _bound_to(target, key) != getattr(target, key):
        return getattr(target, attribute)
    value = target.__dict__.get(attribute, _NOTHING)
    return _NOTHING if isinstance(value, Sealed) else value


def _sealed_attributes(mapper: Mapper[Any]) -> dict[str, Column[Any]]:
    """Return the encrypted columns of a model by attribute."""
    columns = [column for table in mapper.tables if isinstance(table, Table) for column in encrypted_columns(table)]
    return {mapper.get_property_by_column(column).key: column for column in columns}


def _key_of(mapper: Mapper[Any], target: Any) -> object:  # noqa: ANN401 - an object of the mapper
    table = cast("Table", mapper.local_table)
    name = mapper.get_property_by_column(row_key(table)).key
    if getattr(target, name) is None:
        setattr(target, name, new_key(table))
    return getattr(target, name)
