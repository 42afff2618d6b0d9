"""What the database says about a column that is to be encrypted or decrypted."""

import re

import msgspec

from pgkeel.core.errors import NotFound, Refused, UsageError
from pgkeel.postgres import Connection, Row, load

__all__ = ["Rule", "TableColumn", "find_column"]

_WALKED = {"smallint", "integer", "bigint", "uuid"}
_PLAIN = re.compile(r"[a-z_][a-z0-9_]{0,40}")


class Rule(msgspec.Struct, frozen=True):
    """A constraint or an index that rests on the column.

    Attributes:
        name: Its name.
        kind: `constraint` or `index`.
        definition: As the server writes it.
        is_unique: Whether it keeps equal values of the column apart, in all rows and by itself.
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
        rules: What goes with its present form.
        digests: What rests on the digests of an encrypted column, the present ones and those of the next key.
        readers: What reads it and is somebody's to drop and make anew: views, keys, generated columns, triggers, policies.
        last_trigger: The last trigger that may change a row before it is updated; "" where there is none.
        default: Its default, as the server writes it, which goes with its present form; "" where there is none.
        has_policies: Whether row-level security may hide rows.
    """

    table: tuple[str, ...]
    name: str
    key: str
    type: str
    is_not_null: bool
    rules: tuple[Rule, ...]
    digests: tuple[Rule, ...]
    readers: tuple[str, ...]
    last_trigger: str = ""
    default: str = ""
    has_policies: bool = False

    @property
    def apart(self) -> tuple[str, ...]:
        """The names of what keeps equal values apart, in all rows and by itself."""
        return tuple(rule.name for rule in (*self.rules, *self.digests) if rule.is_unique)


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
    other = f"{column}_clear" if sealed else f"{column}_sealed"
    if load(__name__, "has_column").scalar(connection, table=table, column=other):
        hint = "`pgkeel migrate up` and `pgkeel migrate backfill run` go on with it"
        raise Refused(f"{name} is on its way: the table has {other}", hint=hint)
    rules = _rules(connection, table, column)
    beside = [f"{column}_bidx", f"{column}_bidx_next"] if sealed else []
    digests = tuple(rule for each in beside for rule in _rules(connection, table, each))
    held = load(__name__, "readers").rows(connection, table=table, columns=[column, *beside])
    readers = tuple(str(one["reader"]) for one in held)
    found = (tuple(parts[:-1]), column, row["key"], row["type"], row["is_not_null"], rules, digests, readers)
    return TableColumn(*found, row["last_trigger"] or "", row["default_"] or "", row["has_policies"])


def _rules(connection: Connection, table: str, column: str) -> tuple[Rule, ...]:
    return tuple(msgspec.convert(rule, Rule) for rule in load(__name__, "rules").rows(connection, table=table, column=column))


def _require_fit(name: str, row: Row, *, sealed: bool) -> None:
    table, _, column = name.rpartition(".")
    _require_whole(table, row)
    if row["is_generated"]:
        hint = "encrypt what it is made of, and drop it: the server cannot make it anew"
        raise Refused(f"{name} is generated from other columns", hint=hint)
    if row["is_bytea"] and not sealed:
        hint = "`pgkeel security keys rotate` seals it anew, `decrypt` makes it clear again"
        raise Refused(f"{name} is bytea: it is encrypted already, or holds no text", hint=hint)
    if not row["is_bytea" if sealed else "is_text"]:
        wanted = "an encrypted column is bytea" if sealed else "text is encrypted, nothing else"
        hint = "it is clear already" if sealed else "add a text column, and fill it from this one first"
        raise Refused(f"{name} is of type {row['type']}: {wanted}", hint=hint)
    if row["key"] is None:
        raise Refused(f"{table} has no primary key of one column", hint="sealed values are bound to their row's id")
    if row["key"] == column:
        raise Refused(f"{name} is the primary key", hint="sealed values are bound to their row's id: give the table another one")
    if row["key_type"] not in _WALKED:
        hint = "a backfill walks along whole numbers and UUIDs: give the table such a key first"
        raise Refused(f"{table}.{row['key']}, the primary key, is of type {row['key_type']}", hint=hint)


def _require_whole(table: str, row: Row) -> None:
    if row["is_partitioned"]:
        raise Refused(f"{table} is no plain table, or a part of one", hint="move the column into a table of its own first")
    if row["hides_rows"]:
        hint = f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, until the third migration is applied"
        raise Refused(f"row-level security hides rows of {table} from its owner, which would lose them", hint=hint)
