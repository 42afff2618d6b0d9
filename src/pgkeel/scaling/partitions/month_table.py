"""Make a month's table beside the partitioned one, ready to be attached without a scan: same columns, indexes, checks, keys."""

import psycopg
from psycopg import sql

from pgkeel.core.errors import Refused
from pgkeel.postgres import Connection, load
from pgkeel.scaling.partitions.layout import Layout
from pgkeel.scaling.partitions.months import Month

__all__ = ["attach", "lock", "make"]


def make(connection: Connection, layout: Layout, month: Month) -> None:
    """Make the table of a month, in the caller's transaction. It is empty, so its foreign keys are valid at once.

    Identity is left out (the parent has it). A CHECK says which rows it holds, so that ATTACH need not look.
    """
    names = _names(layout, month)
    try:
        load(__name__, "make_month").named(**names).run(connection)
    except psycopg.errors.DuplicateTable as err:
        raise Refused(
            f"a table {layout.name_of(month)} exists that is no partition of {layout.table}",
            hint="rename it, or attach it yourself",
        ) from err
    values = {"schema": layout.schema, "table": layout.table, "child": layout.name_of(month)}
    for row in load(__name__, "foreign_keys").rows(connection, **values):
        connection.execute(row["statement"].encode())  # written by the server, with its own quoting


def lock(connection: Connection, layout: Layout) -> None:
    """Take the locks under which the partitions of a table may change, in the caller's transaction.

    The parent first, ACCESS EXCLUSIVE, although ATTACH asks for less: a reader that has looked up the partitions and then waits
    for one of them goes on with the list that it has, and would miss the rows that moved; a writer would be refused (23514).
    Whoever comes after the parent's lock sees the new list.
    """
    load(__name__, "lock").named(table=layout.parent).run(connection)
    if layout.default is not None:
        load(__name__, "lock").named(table=layout.named(layout.default.name)).run(connection)


def attach(connection: Connection, layout: Layout, month: Month) -> None:
    """Attach a month's table, in the caller's transaction, which holds the locks."""
    load(__name__, "attach_month").named(**_names(layout, month)).run(connection)


def _names(layout: Layout, month: Month) -> dict[str, sql.Composable]:
    return {
        "parent": layout.parent,
        "child": layout.named(layout.name_of(month)),
        "check": sql.Identifier(f"{layout.name_of(month)}_range"),
        "key": sql.Identifier(layout.key),
        "lower": sql.Literal(_bound(month)),
        "upper": sql.Literal(_bound(month.plus(1))),
        "marker": sql.Literal(f"pgkeel: staged month of {layout.table}"),
    }


def _bound(month: Month) -> str:
    """Return a month's first instant with its offset: without one it would be read in the session's time zone."""
    return f"{month}-01 00:00:00+00"
