"""What lies in closed partitions, as a hash: nobody writes there any more, so a restore must bring back exactly that."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import psycopg

from pgkeel.core import clock
from pgkeel.postgres import Connection, identifier, load

__all__ = ["Closed", "closed_partitions", "hash_of"]

_BUDGET = timedelta(minutes=5)


class Closed(msgspec.Struct, frozen=True):
    """A partition by time whose time is over.

    Attributes:
        schema: Its schema.
        name: Its name.
        file: Its file, as `1663/5/16384`: tablespace, database, number.
        oid: `database/oid`, which a DROP names.
        rows: How many rows it has.
        hash: The sum of their hashes, whatever their order.
    """

    schema: str
    name: str
    file: str
    oid: str
    rows: int
    hash: str


def closed_partitions(connection: Connection, *, budget: timedelta = _BUDGET) -> tuple[Closed, ...]:
    """Return what lies in the partitions whose time ended a day ago or earlier, the newest first.

    Called after a backup was copied: whatever changes them later, or changed them meanwhile, is in the WAL that belongs to it.
    One that an open transaction may have written to is left out, for its changes may be in older WAL.

    Args:
        connection: Of a login that may read them; one that it may not read is left out.
        budget: When to stop looking at more.
    """
    until = clock.monotonic() + budget.total_seconds()
    return tuple(_read(connection, until))


def hash_of(connection: Connection, schema: str, name: str) -> tuple[int, str]:
    """Return how many rows a table has, and the sum of their hashes."""
    row = load(__name__, "fingerprint").named(table=identifier(schema, name)).row(connection) or {}
    return int(row["rows"]), str(row["hash"])


def _read(connection: Connection, until: float) -> Iterator[Closed]:
    for found in load(__name__, "closed_partitions").rows(connection):
        if clock.monotonic() > until:
            return
        try:
            rows, hashed = hash_of(connection, found["schema"], found["name"])
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):
            continue
        yield Closed(found["schema"], found["name"], found["file"], found["oid"], rows, hashed)
