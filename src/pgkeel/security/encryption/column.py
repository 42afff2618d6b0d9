"""What the database says about a column that is to be encrypted or decrypted."""

import re

import msgspec

from pgkeel.core.errors import NotFound, Refused, UsageError
from pgkeel.postgres import Connection, Row, load

__all__ = ["Rule", "TableColumn", "find_column"]

_PLAIN = re.compile(r"[a-z_][a-z0-9_]{0,40}")


class Rule(msgspec.Struct, frozen=True):
    """A constraint or an index that rests on the column.

    Attributes:
        name: Its name.
        kind: `constraint` or `index`.
        definition: As the server writes it.
        is_unique: Whether it keeps values apart.
    """

    name: str
    kind: str
    definition: str
    is_unique: bool


class TableColumn(msgspec.Struct, frozen=True):
    """A column and what rests on it.

    Attributes:
        table: The table, after its schema if one was named.
        name: The column.
        key: The column that binds sealed values to their row.
        type: As the server writes it.
        is_not_null: Whether it is NOT NULL.
        rules: What goes when the column no longer holds clear values.
        readers: What reads it and is somebody's to drop and make anew: views, keys, generated columns, triggers, policies.
    """

    table: tuple[str, ...]
    name: str
    key: str
    type: str
    is_not_null: bool
    rules: tuple[Rule, ...]
    readers: tuple[str, ...]


def find_column(connection: Connection, name: str, *, sealed: bool) -> TableColumn:
    """Return the column `[schema.]table.column`.

    Args:
        connection: To the database.
        name: The column's name with its table's.
        sealed: Whether it is to be an encrypted one, not a clear one.

    Raises:
        UsageError: The name has another form, or needs quotes.
        NotFound: There is no such column.
        Refused: Its type or its table does not allow it.
    """
    parts = name.split(".")
    if len(parts) not in {2, 3} or not all(_PLAIN.fullmatch(part) for part in parts):
        raise UsageError(f"{name[:80]!r} is no column", hint="write TABLE.COLUMN or SCHEMA.TABLE.COLUMN, names without quotes")
    table, column = ".".join(f'"{part}"' for part in parts[:-1]), parts[-1]
    row = load(__name__, "clear_column").row(connection, table=table, column=column)
    if row is None:
        raise NotFound(f"there is no column {name}", hint="`pgkeel schema show` lists them")
    _require_fit(name, row, sealed=sealed)
    rules = tuple(msgspec.convert(rule, Rule) for rule in load(__name__, "rules").rows(connection, table=table, column=column))
    held = [column, f"{column}_bidx", f"{column}_bidx_next"] if sealed else [column]
    readers = tuple(str(one["reader"]) for one in load(__name__, "readers").rows(connection, table=table, columns=held))
    return TableColumn(tuple(parts[:-1]), column, row["key"], row["type"], row["is_not_null"], rules, readers)


def _require_fit(name: str, row: Row, *, sealed: bool) -> None:
    table = name.rpartition(".")[0]
    if row["is_partitioned"]:
        raise Refused(f"{table} is no plain table, or a part of one", hint="move the column into a table of its own first")
    if not row["is_bytea" if sealed else "is_text"]:
        wanted = "an encrypted column is bytea" if sealed else "text is encrypted, nothing else"
        raise Refused(f"{name} is of type {row['type']}: {wanted}", hint="add a column of that type first")
    if row["key"] is None:
        raise Refused(f"{table} has no primary key of one column", hint="sealed values are bound to their row's id")
