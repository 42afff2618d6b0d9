"""Read what a recipe is about: a table, its columns, and what rests on them."""

import difflib
import re
from collections.abc import Mapping, Sequence

import msgspec
import psycopg

from pgkeel.core.errors import NotFound, Refused, UsageError
from pgkeel.migrations.backfill.keys import find_target
from pgkeel.postgres import Connection, load

__all__ = ["Column", "Dependent", "Table", "names", "read_table", "split_target", "type_named"]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?")


class Column(msgspec.Struct, frozen=True):
    """A column of the table.

    Attributes:
        sql: Its name, quoted where SQL needs it.
        number: Its place in the catalog.
        type: With modifier and collation.
        default: Its expression, or None.
        is_comparable: Whether its type has an equality.
    """

    name: str
    sql: str
    number: int
    type: str
    is_not_null: bool
    default: str | None
    is_identity: bool
    is_generated: bool
    has_grants: bool
    comment: str | None
    is_comparable: bool
    owns_sequence: bool
    is_partition_key: bool


class Dependent(msgspec.Struct, frozen=True):
    """What rests on a column.

    Attributes:
        kind: `index`, `primary`, `unique`, `exclusion`, `check`, `foreign`, `referenced`, `view`, or a word for the rest.
        sql: Its name, quoted where SQL needs it.
        definition: The SQL that makes it, as the server says it.
    """

    kind: str
    name: str
    sql: str
    definition: str


class Table(msgspec.Struct, frozen=True):
    """A table that a recipe changes.

    Attributes:
        sql: Its name as SQL writes it, without `public`.
        columns: By name.
    """

    id: int
    schema: str
    name: str
    is_table: bool
    is_partitioned: bool
    is_partition: bool
    sql: str
    columns: Mapping[str, Column] = {}

    def column(self, name: str) -> Column:
        """Return a column.

        Raises:
            NotFound: There is none of that name.
        """
        if name not in self.columns:
            raise NotFound(f"{self.sql} has no column {name}", hint=_meant(name, list(self.columns)))
        return self.columns[name]

    def dependents(self, connection: Connection, column: Column) -> tuple[Dependent, ...]:
        """Return what rests on a column."""
        rows = load(__name__, "recipe_dependents").rows(connection, table=self.id, column=column.number)
        return tuple(msgspec.convert(row, Dependent) for row in rows)

    def key(self, connection: Connection) -> str:
        """Return the column along which a backfill walks.

        Raises:
            NotFound, Refused: The table has no key of one whole number or UUID, or a name that a marker cannot hold.
        """
        if not _PLAIN.fullmatch(self.sql):
            raise Refused(f"a Backfill section cannot name the table {self.sql}", hint="write these steps by hand")
        return self.column(find_target(connection, self.sql, None).column).sql


def split_target(text: str) -> tuple[str, str, tuple[str, ...]]:
    """Return schema, table and columns of `[SCHEMA.]TABLE.COLUMN[,COLUMN]`.

    Raises:
        UsageError: It has another form.
    """
    head, *rest = text.split(",")
    parts = head.split(".")
    if len(parts) not in {2, 3} or not all([*parts, *rest]):
        raise UsageError(
            f"{text!r} is not TABLE.COLUMN", hint="users.email, or shop.users.email, or users.email,city for several"
        )
    return parts[0] if len(parts) == 3 else "public", parts[-2], (parts[-1], *rest)


def read_table(connection: Connection, schema: str, name: str) -> Table:
    """Return a table with its columns.

    Raises:
        NotFound: There is none of that name.
        Refused: It is a view or a foreign table, or a partition.
    """
    row = load(__name__, "recipe_table").row(connection, schema=schema, name=name)
    if row is None:
        known = [found["name"] for found in load(__name__, "recipe_tables").rows(connection)]
        wanted = name if schema == "public" else f"{schema}.{name}"
        raise NotFound(f"there is no table {wanted}", hint=_meant(wanted, known))
    table = msgspec.convert(row, Table)
    if not table.is_table:
        raise Refused(f"{table.sql} is not a table", hint="name the table behind it")
    if table.is_partition:
        raise Refused(f"{table.sql} is a partition", hint="name its parent: what it gets, its partitions get")
    rows = load(__name__, "recipe_columns").rows(connection, table=table.id)
    return msgspec.structs.replace(table, columns={found["name"]: msgspec.convert(found, Column) for found in rows})


def _meant(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known[:12]) or 'none'}"


def names(connection: Connection, table: Table, *wanted: str) -> tuple[str, ...]:
    """Return names as SQL writes them, each cut to what PostgreSQL keeps.

    Raises:
        Refused: The table, or its schema, has one of them already.
    """
    short = [name.encode()[:63].decode(errors="ignore") for name in wanted]
    rows = load(__name__, "recipe_names").rows(connection, table=table.id, schema=table.schema, names=short)
    for name, row in zip(short, rows, strict=True):
        if row["taken_by"]:
            hint = "the recipe is on its way already, or that name belongs to something else: rename or drop it first"
            raise Refused(f"{table.sql}: there is a {row['taken_by']} {name} already", hint=hint)
    return tuple(row["sql"] for row in rows)


def type_named(connection: Connection, text: str) -> str:
    """Return a type with its modifier, after asking the server whether there is one.

    Raises:
        NotFound: There is none.
    """
    base = text.split("(", maxsplit=1)[0].strip()
    try:
        known = load(__name__, "recipe_type").scalar(connection, type=base)
    except psycopg.Error:
        known = None
    if known is None or ";" in text or "--" in text:
        raise NotFound(f"there is no type {text}", hint="name it as a column would: bigint, numeric(12,2), text")
    return text
