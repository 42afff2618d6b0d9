"""Keys that a backfill walks along: whole numbers and UUIDs, which both have an order and a distance."""

from uuid import UUID

import msgspec

from pgkeel.core.errors import NotFound, Refused
from pgkeel.postgres import Connection, identifier, load

__all__ = ["BackfillKey", "Target", "bounds", "distance", "find_target", "read_key", "step_before"]

BackfillKey = int | UUID
_LOWEST = {"smallint": -(2**15), "integer": -(2**31), "bigint": -(2**63), "uuid": 0}


class Target(msgspec.Struct, frozen=True):
    """The table that a backfill changes, and the column whose order it follows.

    Attributes:
        type: `smallint`, `integer`, `bigint` or `uuid`.
    """

    schema: str
    table: str
    column: str
    type: str


def find_target(connection: Connection, table: str, key: str | None) -> Target:
    """Return the table and key that a marker names; without `key=`, the primary key of one column.

    Raises:
        NotFound: There is no such table or column.
        Refused: The key has another type, may be NULL, or no index leads with it; or policies hide rows from this login.
    """
    row = load(__name__, "target").row(connection, table=table, key=key)
    if row is None:
        raise NotFound(f"there is no table {table}", hint="correct table= in the file's -- Backfill Migration line")
    if row["column"] is None:
        what = f"no column {key}" if key else "no primary key of one column"
        raise NotFound(f"{table} has {what}", hint="name a column with an index: key=id")
    where = f"{table}.{row['column']}"
    if row["type"] not in _LOWEST:
        hint = "choose a key of whole numbers or UUIDs: key=id"
        raise Refused(f"{where} is of type {row['type']}: a backfill walks along whole numbers and UUIDs", hint=hint)
    if not row["is_not_null"]:
        raise Refused(f"{where} may be NULL, so that rows would be passed over", hint="choose a key that is NOT NULL")
    if not row["has_index"]:
        hint = "create one that begins with the key, or choose another key"
        raise Refused(f"no index leads with {where}: each batch would read the whole table", hint=hint)
    if row["hides_rows"]:
        hint = f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY while it runs"
        raise Refused(f"row-level security hides rows of {table} from its owner: they would be passed over", hint=hint)
    return Target(row["schema"], row["table"], row["column"], row["type"])


def read_key(target: Target, text: str) -> BackfillKey:
    """Return the key that the state row keeps as text."""
    return UUID(text) if target.type == "uuid" else int(text)


def bounds(connection: Connection, target: Target) -> tuple[BackfillKey, BackfillKey] | None:
    """Return the lowest and the highest key now; None for an empty table."""
    names = {"table": identifier(target.schema, target.table), "key": identifier(target.column)}
    row = load(__name__, "bounds").named(**names).row(connection) or {}
    return None if row["lowest"] is None else (row["lowest"], row["highest"])


def step_before(target: Target, key: BackfillKey) -> BackfillKey:
    """Return the key before one, for `key > :lo`.

    Raises:
        Refused: It is the lowest that its type has.
    """
    number = _number(key)
    if number == _LOWEST[target.type]:
        hint = "give that row another key, or change it by hand in the Up section"
        raise Refused(f"{target.table}.{target.column} holds {key}: nothing lies before it for `> :lo`", hint=hint)
    return UUID(int=number - 1) if isinstance(key, UUID) else number - 1


def distance(low: BackfillKey, high: BackfillKey) -> int:
    """Return how far one key lies behind another."""
    return _number(high) - _number(low)


def _number(key: BackfillKey) -> int:
    return key.int if isinstance(key, UUID) else key
