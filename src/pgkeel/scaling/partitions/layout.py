"""How a partitioned table stands in the database: its key, its partitions, and what we left behind there."""

import re
from datetime import UTC, datetime

import msgspec
from psycopg import sql

from pgkeel.core.errors import NotFound, Refused
from pgkeel.postgres import Connection, identifier, load
from pgkeel.scaling.partitions.months import Month

__all__ = ["Layout", "Partition", "read_layout"]

_BOUND = re.compile(r"FROM \('([^']+)'\) TO \('([^']+)'\)")
_LONGEST = 63 - len("_pgkeel_changes")


class Partition(msgspec.Struct, frozen=True):
    """One attached partition.

    Attributes:
        name: Its name, without the schema.
        lower: Its first instant; None where it is unbounded, or a default partition.
        upper: The first instant after it; None likewise.
        is_default: Whether it takes what no other takes.
    """

    name: str
    lower: datetime | None = None
    upper: datetime | None = None
    is_default: bool = False

    def overlaps(self, month: Month) -> bool:
        """Return whether it covers a part of the month."""
        if self.is_default:
            return False
        return (self.lower is None or self.lower < month.end) and (self.upper is None or self.upper > month.start)


class Layout(msgspec.Struct, frozen=True):
    """A table partitioned by ranges of one timestamptz column.

    Attributes:
        schema: Its schema.
        table: Its name.
        key: The partition column.
        columns: All columns that a row carries, generated ones left out.
        primary_key: The columns of its primary key; empty without one.
        partitions: What is attached, by lower bound.
        is_referenced: Whether a foreign key of another table points to it.
        is_published: Whether a logical publication carries it.
        staged: Months whose tables a run has made and not attached yet.
    """

    schema: str
    table: str
    key: str
    columns: tuple[str, ...]
    primary_key: tuple[str, ...]
    partitions: tuple[Partition, ...] = ()
    is_referenced: bool = False
    is_published: bool = False
    staged: tuple[Month, ...] = ()

    @property
    def default(self) -> Partition | None:
        """The default partition, or None."""
        return next((partition for partition in self.partitions if partition.is_default), None)

    def name_of(self, month: Month) -> str:
        """Return the name of a month's partition."""
        return f"{self.table}_{month.suffix()}"

    def named(self, name: str) -> sql.Identifier:
        """Return the quoted name of an object in the table's schema."""
        return identifier(self.schema, name)

    @property
    def parent(self) -> sql.Identifier:
        """The table's quoted name."""
        return self.named(self.table)

    def covering(self, month: Month) -> Partition | None:
        """Return a partition that covers a part of the month, or None."""
        return next((partition for partition in self.partitions if partition.overlaps(month)), None)


def read_layout(connection: Connection, table: str) -> Layout:
    """Return how a table stands.

    Args:
        connection: Any role that may read the catalog.
        table: Its name, with or without schema.

    Raises:
        NotFound: There is no partitioned table of that name.
        Refused: It is not partitioned by ranges of one timestamptz column, or its name is too long for its months'.
    """
    row = load(__name__, "layout").row(connection, table=table)
    if row is None:
        raise NotFound(f"there is no partitioned table {table}", hint="`pgkeel schema show` lists the tables")
    if row.pop("strategy") != "r" or row.pop("key_type") != "timestamp with time zone":
        raise Refused(f"{table} is not partitioned by ranges of one timestamptz column", hint="only monthly tables are kept")
    if len(row["table"].encode()) > _LONGEST:
        raise Refused(f"the name {table} is too long", hint=f"a monthly table's name has at most {_LONGEST} bytes")
    names = {"schema": row["schema"], "table": row["table"]}
    partitions = [_partition(found) for found in load(__name__, "attached").rows(connection, **names)]
    staged = [_month(found["name"]) for found in load(__name__, "staged").rows(connection, **names)]
    return msgspec.convert(row | {"partitions": tuple(partitions), "staged": tuple(staged)}, Layout)


def _partition(row: dict[str, str]) -> Partition:
    bound = _BOUND.search(row["bound"])
    lower, upper = (_instant(bound[1]), _instant(bound[2])) if bound else (None, None)
    return Partition(row["name"], lower, upper, is_default=row["bound"] == "DEFAULT")


def _instant(text: str) -> datetime | None:
    """Read a bound as the server prints it; None for what Python cannot hold (infinity, BC)."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def _month(name: str) -> Month:
    return Month(int(name[-7:-3]), int(name[-2:]))
