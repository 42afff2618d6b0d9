"""The type of an encrypted column, what it may be compared with, and what a row holds in it and beside it."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from sqlalchemy import ARRAY, Column, ColumnElement, LargeBinary, Table, all_, any_, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeDecorator

from pgkeel.core.cipher import CannotOpen, Cipher, FieldCipher, Sealed
from pgkeel.core.errors import ConfigError, UsageError
from pgkeel.core.ids import new_id, random_id
from pgkeel.core.normal_form import normal_form
from pgkeel.schema.field import EncryptedField

__all__ = [
    "INDEX_OF",
    "EncryptedType",
    "NoKeys",
    "NotSealed",
    "NotSearchable",
    "bind_keys",
    "cipher_of",
    "encrypted_columns",
    "encrypted_fields",
    "indexed_column",
    "is_blind_index",
    "keys_of",
    "new_key",
    "row_key",
    "sealed_values",
    "share_keys",
]

INDEX_OF = "pgkeel.blind_index_of"
_KEYS = "_pgkeel_keys"
_EQUAL = {operators.eq, operators.in_op}
_UNEQUAL = {operators.ne, operators.not_in_op}
_NULL = {operators.is_, operators.is_not}
_DISTINCT = {operators.is_distinct_from, operators.is_not_distinct_from}


class NotSearchable(UsageError):
    """An encrypted column can be compared for equality only, and only where it has a blind index."""

    code = "not_searchable"


class NotSealed(UsageError, DontWrapMixin):
    """A clear value for an encrypted column: without its row it cannot be sealed."""

    code = "not_sealed"


class NoKeys(ConfigError, DontWrapMixin):
    """A column is encrypted, and the handle has no keys."""

    code = "no_keys"


class EncryptedType(TypeDecorator[Any]):
    """`bytea` whose values are sealed; given clear ones it refuses, because it does not know the row."""

    impl = LargeBinary
    cache_ok = True

    def __init__(
        self, index: str | None = None, unique: str | None = None, table: str = "", column: str = "", *, subject: bool = False
    ) -> None:
        """Keep what the model says; table and column are known once the column has a table."""
        super().__init__()
        self.index = index
        self.unique = unique
        self.table = table
        self.column = column
        self.subject = subject

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what lets sealed values pass, and nothing else."""
        return _only_sealed

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what wraps sealed bytes."""
        keys = keys_of(dialect)
        cipher = None if keys is None else keys.field(self.table, self.column)
        name = f"{self.table}.{self.column}"
        return lambda value: None if value is None else Sealed(_bytes_of(value, name), cipher)

    class Comparator(TypeDecorator.Comparator[Any]):
        """Equality by the blind index; everything else is refused."""

        def operate(self, op: Any, *other: Any, **named: Any) -> ColumnElement[Any]:  # noqa: ANN401 - SQLAlchemy's signature
            """Return the condition.

            Raises:
                NotSearchable: It is no equality, or the column has no index.
            """
            value = other[0] if other else None
            is_stored = op in _DISTINCT and isinstance(value, ClauseElement)  # compares what is stored, not what it means
            is_column = op is operators.eq and isinstance(value, ColumnElement)
            is_itself = is_column and hash(value) == hash(self.expr)  # SQLAlchemy looks for the column in a dictionary
            if op in _NULL or is_stored or is_itself or (value is None and op in _EQUAL | _UNEQUAL):
                return super().operate(op, *other, **named)
            return _condition(self.expr, op, value)

    comparator_factory = Comparator


def _bytes_of(value: Any, name: str) -> bytes:  # noqa: ANN401 - whatever the column holds
    if isinstance(value, str):
        hint = f"`pgkeel security encrypt {name}` writes the migrations; this program belongs behind their switch"
        raise CannotOpen(f"{name} is clear text in this database, and encrypted in the models", hint=hint)
    return bytes(value)


class _Digests(TypeDecorator[Any]):
    """Texts on their way into a condition: every digest under which a row with one of them may be found."""

    impl = ARRAY(LargeBinary)
    cache_ok = True

    def __init__(self, table: str, column: str, form: str) -> None:
        super().__init__()
        self.table = table
        self.column = column
        self.form = form

    def process_bind_param(self, value: Any, dialect: Dialect) -> list[bytes]:  # noqa: ANN401 - a text or several
        cipher = cipher_of(dialect, self.table, self.column)
        texts = [value] if isinstance(value, str) else [text for text in value if text is not None]
        return [digest for text in texts for digest in cipher.lookups(normal_form(self.form, text))]


def bind_keys(dialect: Dialect, keys: Cipher | None) -> None:
    """Let the statements of a dialect seal and open by a key ring."""
    setattr(dialect, _KEYS, keys)


def keys_of(dialect: Dialect) -> Cipher | None:
    """Return the key ring of a dialect's statements; None where it has none."""
    keys: Cipher | None = getattr(dialect, _KEYS, None)
    return keys


def share_keys(source: Dialect, target: Dialect) -> None:
    """Let one dialect seal and open as another does."""
    bind_keys(target, keys_of(source))


def cipher_of(dialect: Dialect, table: str, column: str, *, by_subject: bool = False) -> FieldCipher:
    """Return the cipher of a column.

    Raises:
        NoKeys: This handle was not given a key ring.
    """
    keys: Cipher | None = getattr(dialect, _KEYS, None)
    if keys is None:
        raise NoKeys(
            f"{table}.{column} is encrypted, and this handle has no keys",
            hint="with pgkeel.security.keys.follow(url, provider) as keys: Database(url, keys=keys)",
        )
    return keys.field(table, column, by_subject=by_subject)


def encrypted_columns(table: Table) -> tuple[Column[Any], ...]:
    """Return the encrypted columns of a table."""
    return tuple(column for column in table.c if isinstance(column.type, EncryptedType))


def encrypted_fields(tables: Iterable[Table]) -> tuple[EncryptedField, ...]:
    """Return the encrypted columns of tables, by name."""
    found = [(table, column) for table in tables for column in encrypted_columns(table)]
    fields = [
        EncryptedField(
            tuple(table.fullname.split(".")),
            str(column.name),
            str(row_key(table).name),
            cast("EncryptedType", column.type).index,
            cast("EncryptedType", column.type).subject,
        )
        for table, column in found
    ]
    return tuple(sorted(fields, key=lambda field: field.name))


def is_blind_index(column: ColumnElement[Any]) -> bool:
    """Return whether a column stands only beside an encrypted one, to find its values."""
    return isinstance(column, Column) and INDEX_OF in column.info


def indexed_column(column: Column[Any]) -> str:
    """Return the name of the column whose values a column finds; its own where it is no blind index."""
    return str(column.info.get(INDEX_OF, column.name))


def row_key(table: Table) -> Column[Any]:
    """Return the column whose value binds the sealed values of a row: `id`, else a primary key of one column.

    Raises:
        UsageError: There is none.
    """
    primary = tuple(table.primary_key.columns)
    if "id" not in table.c and len(primary) != 1:
        raise UsageError(
            f"{table.name} has no id to which an encrypted value could be bound", hint="give it the Identified mixin"
        )
    return table.c["id"] if "id" in table.c else primary[0]


def new_key(table: Table) -> UUID:
    """Return an id for a new row: its sealed values are bound to it before the server sees them.

    Raises:
        UsageError: The ids of the table are not UUIDs.
    """
    column = row_key(table)
    if not _is_uuid(column):
        raise UsageError(f"{table.name}.{column.name} is no uuid: pass it with the row", hint="encrypted values are bound to it")
    return new_id() if "new_id" in str(getattr(column.server_default, "arg", "")) else random_id()


def sealed_values(column: Column[Any], value: str | Sealed | None, row: object, dialect: Dialect) -> dict[str, Any]:
    """Return what a row holds in an encrypted column and those beside it, by column name.

    Args:
        column: The encrypted column.
        value: The clear text; a sealed one is opened first, as one of the same row.
        row: The row's id.
        dialect: Carries the keys.
    """
    kind = cast("EncryptedType", column.type)
    beside = [f"{column.name}_bidx", f"{column.name}_bidx_next"] if kind.index else []
    if value is None:
        return dict.fromkeys([column.name, *beside])
    cipher = cipher_of(dialect, kind.table, kind.column, by_subject=kind.subject)
    key = _read_back(row_key(column.table), row)
    text = value.bound(cipher).reveal(key) if isinstance(value, Sealed) else value
    if not isinstance(text, str):
        raise UsageError(f"{kind.table}.{kind.column} takes text, not {type(text).__name__}", hint="encrypted values are texts")
    digests: tuple[bytes | None, ...] = cipher.written(normal_form(kind.index, text)) if kind.index else ()
    return {column.name: cipher.seal(key, normal_form("exact", text)), **dict(zip(beside, digests, strict=True))}


def _read_back(column: Column[Any], row: object) -> object:
    """Return an id that may be given as text as it is read back: what is sealed is bound to that."""
    kind = column.type.python_type if isinstance(row, str) else str
    with suppress(ValueError):
        return kind(row) if kind in {UUID, int} else row
    raise UsageError(
        f"{column.table.name}.{column.name} is no {kind.__name__} in the text that was given", hint="pass the id itself"
    )


def _is_uuid(column: Column[Any]) -> bool:
    return column.type.python_type is UUID


def _only_sealed(value: Any) -> bytes | None:  # noqa: ANN401 - any value of a caller
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, Sealed):
        return value.value
    hint = "insert and update it through a repository, or as an attribute of an object in a unit of work"
    raise NotSealed(hint=hint)


def _condition(column: Any, operator: Any, value: Any) -> ColumnElement[Any]:  # noqa: ANN401 - SQLAlchemy's
    kind: EncryptedType = column.type
    where = f"{kind.table}.{kind.column}"
    if operator not in _EQUAL | _UNEQUAL:
        raise NotSearchable(
            f"{where} is encrypted: it is neither ordered nor searched by parts", hint="compare it with == or in_"
        )
    if kind.index is None:
        raise NotSearchable(f"{where} is encrypted and has no blind index", hint='Encrypted(index="exact"), and a migration')
    texts = _texts(value, where)
    digests = bindparam(None, texts, type_=_Digests(kind.table, kind.column, kind.index), unique=True)
    beside = getattr(getattr(column, "table", None), "c", {}).get(f"{getattr(column, 'name', '')}_bidx")
    if beside is None:
        raise NotSearchable(
            f"{where} is encrypted: only the column itself can be compared",
            hint=f"with {kind.column}_bidx beside it in a subquery",
        )
    return cast("ColumnElement[Any]", beside == any_(digests) if operator in _EQUAL else beside != all_(digests))


def _texts(value: Any, where: str) -> str | list[Any]:  # noqa: ANN401 - a value or SQLAlchemy's form of one
    """Return the text or texts that a column is compared with."""
    found = getattr(value, "effective_value", value)
    if isinstance(found, str):
        return found
    if isinstance(found, (list, tuple, set, frozenset)) and all(each is None or isinstance(each, str) for each in found):
        return list(found)
    raise NotSearchable(f"{where} is encrypted: it is compared with texts only", hint="pass the value itself")
