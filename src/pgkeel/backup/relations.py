"""Which file is which table: TRUNCATE and rewrites change it, so each backup keeps what was true then."""

from datetime import datetime

import msgspec

from pgkeel.postgres import Connection, load

__all__ = ["Relation", "Relations", "relations_of"]


class Relation(msgspec.Struct, frozen=True):
    """A table, index, TOAST table or materialized view and its file.

    Attributes:
        tablespace: Oid of its tablespace; the database's own one is written out, not 0.
        database: Oid of its database.
        file: Number of its file (relfilenode).
        oid: Its oid, which a DROP names.
        schema: Its schema.
        name: Its name.
        kind: `r`, `t`, `i`, `m`, `S` as in `pg_class.relkind`.
        table: For a TOAST table the `SCHEMA.NAME` of its table, else None.
        parent: For a partition the `SCHEMA.NAME` of the table at the root, else None.
        above: The `SCHEMA.NAME` of each table that it is a partition of, or that it inherits from, at any distance.
    """

    tablespace: int
    database: int
    file: int
    oid: int
    schema: str
    name: str
    kind: str
    table: str | None = None
    parent: str | None = None
    above: tuple[str, ...] = ()


class Relations(msgspec.Struct, frozen=True):
    """All of one database at one time.

    Attributes:
        database: Its name.
        at: When they were read, by the server's clock.
        lsn: Where the WAL was then.
        relations: By schema and name.
    """

    database: str
    at: datetime
    lsn: str
    relations: tuple[Relation, ...]


def relations_of(connection: Connection) -> Relations:
    """Return which file is which table in the connected database now."""
    place = load(__name__, "place_now").row(connection) or {}
    rows = load(__name__, "relations").rows(connection)
    return msgspec.convert({**place, "relations": rows}, Relations)
