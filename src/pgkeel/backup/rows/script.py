"""The statements that put rows back, for somebody who wants to run them."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from psycopg import sql

from pgkeel.backup.rows.placing import Behind
from pgkeel.backup.rows.shape import Link, Shape, Table, names
from pgkeel.backup.rows.spelling import pairs, quoted, texts
from pgkeel.postgres import Connection, Query, identifier, load

__all__ = ["Arriving", "inserts", "set_backs", "set_ons", "updates"]


class Arriving(msgspec.Struct, frozen=True):
    """Rows of a table that wait to be put back.

    Attributes:
        shape: The table.
        columns: Which of its columns are written.
        waiting: Where they wait.
    """

    shape: Shape
    columns: Sequence[str]
    waiting: sql.Identifier


def inserts(live: Connection, some: Sequence[Arriving]) -> Iterator[str]:
    """Yield an INSERT for each waiting row; rows that may point to each other come in one statement, at whose end that is proved.

    Args:
        live: Where they wait.
        some: Tables, what is pointed to before what points.
    """
    for ring in _rings(some):
        written = [(one, [str(row["written"]) for row in _values(one).rows(live)]) for one in ring]
        if len(ring) > 1:
            each = (f"ring_{number} AS ({_insert(one, rows)})" for number, (one, rows) in enumerate(written) if rows)
            yield f"WITH {', '.join(each)} SELECT 'rows that point to each other are back';"
        elif written[0][1] and any(link.parent == ring[0].shape.table for link in ring[0].shape.parents):
            yield f"{_insert(*written[0])};"
        else:
            yield from (f"{_insert(ring[0], [row])};" for row in written[0][1])


def set_ons(some: Sequence[Behind]) -> Iterator[str]:
    """Yield a statement for each sequence that stands behind what comes back."""
    yield from (f"SELECT setval({sql.Literal(one.sequence).as_string()}, {one.reached});" for one in some)


def _values(one: Arriving) -> Query:
    values = sql.SQL(", ").join(quoted(column) for column in one.columns)
    return load(__name__, "as_values").named(waiting=one.waiting, values=values)


def _insert(one: Arriving, rows: Sequence[str]) -> str:
    end = sql.SQL("" if one.shape.deferrable else " ON CONFLICT DO NOTHING")  # which looks at no deferrable constraint
    insert = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES {}{}")
    return insert.format(one.shape.table.quoted, names(one.columns), sql.SQL(", ".join(rows)), end).as_string()


def _rings(some: Sequence[Arriving]) -> Iterator[list[Arriving]]:
    """Yield the tables in their order, those that lead to each other by foreign keys together."""
    shapes = {one.shape.table: one.shape for one in some}
    leads = {table: _reached(table, shapes) for table in shapes}
    done = set[Table]()
    for one in some:
        table = one.shape.table
        if table not in done:
            ring = [
                each for each in some if each == one or (each.shape.table in leads[table] and table in leads[each.shape.table])
            ]
            done.update(each.shape.table for each in ring)
            yield ring


def _reached(table: Table, shapes: Mapping[Table, Shape]) -> set[Table]:
    found, rest = set[Table](), [table]
    while rest:
        new = {link.parent for link in shapes[rest.pop()].parents if link.parent in shapes} - found
        found |= new
        rest += new
    return found


def set_backs(live: Connection, shape: Shape, waiting: sql.Identifier, values: Sequence[str]) -> Iterator[str]:
    """Yield an UPDATE for each living row of a table that differs in some columns from what it was."""
    query = load(__name__, "as_set_back").named(
        table=shape.rows,
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
