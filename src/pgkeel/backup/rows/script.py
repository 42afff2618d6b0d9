"""The statements that put rows back, for somebody who wants to run them."""

from collections.abc import Iterator, Sequence

from psycopg import sql

from pgkeel.backup.rows.shape import Link, Shape, names
from pgkeel.backup.rows.spelling import pairs, quoted, texts
from pgkeel.postgres import Connection, identifier, load

__all__ = ["inserts", "set_backs", "updates"]


def inserts(live: Connection, shape: Shape, waiting: sql.Identifier, columns: Sequence[str]) -> Iterator[str]:
    """Yield an INSERT for each waiting row of a table."""
    query = load(__name__, "as_insert").named(
        waiting=waiting,
        start=sql.Literal(f"INSERT INTO {shape.table.quoted.as_string()} ({names(columns).as_string()}) "),
        values=sql.SQL(", ").join(quoted(column) for column in columns),
    )
    yield from (str(row["statement"]) for row in query.rows(live))


def set_backs(live: Connection, shape: Shape, waiting: sql.Identifier, values: Sequence[str]) -> Iterator[str]:
    """Yield an UPDATE for each living row of a table that differs in some columns from what it was."""
    query = load(__name__, "as_set_back").named(
        table=shape.table.quoted,
        waiting=waiting,
        target=sql.Literal(shape.table.quoted.as_string()),
        assignments=pairs(values, ", "),
        condition=pairs(shape.key, " AND "),
        now_key=names(shape.key, of="now"),
        then_key=names(shape.key, of="waiting"),
        now=texts(values, "now"),
        then=texts(values, "waiting"),
    )
    yield from (str(row["statement"]) for row in query.rows(live))


def updates(live: Connection, link: Link, key: Sequence[str], waiting: sql.Identifier, arriving: sql.Identifier) -> Iterator[str]:
    """Yield an UPDATE for each row that is to point again at one that comes back.

    Args:
        live: Where they are to be run.
        link: The foreign key.
        key: The primary key of the rows that point.
        waiting: The table of those.
        arriving: The table of rows that come back.
    """
    query = load(__name__, "as_update").named(
        waiting=waiting,
        child=sql.Literal(link.child.quoted.as_string()),
        assignments=pairs(link.emptied, ", "),
        condition=pairs((*key, *(name for name in link.columns if name not in link.emptied)), " AND "),
        empty=sql.Literal(" AND ".join(f"{identifier(name).as_string()} IS NULL" for name in link.emptied)),
        arriving=arriving,
        mine=names(link.columns, of="waiting"),
        theirs=names(link.keys, of="arriving"),
    )
    yield from (str(row["statement"]) for row in query.rows(live))
