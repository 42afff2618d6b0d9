"""Rows that were deleted and whose key lives again: what lives there is another row, however like an edited one it looks."""

from collections.abc import Callable, Sequence

import msgspec
from psycopg import sql

from pgkeel.backup.rows.shape import Shape
from pgkeel.postgres import Connection, identifier, load

__all__ = ["Deletions", "Gone", "Storage", "collect_again", "nothing_known"]

_GONE = identifier("pg_temp", "gone")


class Storage(msgspec.Struct, frozen=True):
    """A table or partition and where its rows are.

    Attributes:
        relation: Its oid, the same on both sides.
        name: The table that it is, or is a part of.
        then: Its file in the past, as `1663/5/16384`.
        now: Its file now, or None where it is gone.
    """

    relation: int
    name: str
    then: str
    now: str | None


class Gone(msgspec.Struct, frozen=True):
    """Which rows of then were deleted since.

    Attributes:
        places: Table or partition, block and offset of each, as the past has it.
        emptied: Tables and partitions that lost all rows at once, by their oids.
        warnings: What could not be told.
    """

    places: Sequence[tuple[int, int, int]] = ()
    emptied: Sequence[int] = ()
    warnings: tuple[str, ...] = ()


Deletions = Callable[[Sequence[Storage]], Gone]


def nothing_known(_storages: Sequence[Storage]) -> Gone:
    """Return that nobody knows of a deletion, and nobody misses it."""
    return Gone()


def collect_again(
    live: Connection, past: Connection, shape: Shape, deletions: Deletions, *, here: sql.Identifier, again: sql.Identifier
) -> tuple[str, ...]:
    """Collect the keys of a table that live and whose row of then was deleted; return what could not be told.

    Args:
        live: The database.
        past: The copy of it as it was.
        shape: The table.
        deletions: Knows which rows were deleted.
        here: The temporary table of the past that holds the keys which live.
        again: The one that gets the keys.
    """
    known = deletions(_storages(live, past, shape))
    fields = {"table": shape.rows, "old_key": shape.key_then("old"), "here": here, "again": again}
    if known.emptied:
        load(__name__, "emptied_rows").named(**fields).run(past, relations=list(known.emptied))
    if known.places:
        with past.transaction():
            _bring_places(past, known.places)
            load(__name__, "gone_rows").named(**fields, gone=_GONE).run(past)
    return known.warnings


def _storages(live: Connection, past: Connection, shape: Shape) -> list[Storage]:
    then = load(__name__, "files_then").rows(past, schema=shape.table.schema, name=shape.table.name)
    found = load(__name__, "files_now").rows(live, relations=[row["relation"] for row in then])
    now = {row["relation"]: row["file"] for row in found}
    return [Storage(row["relation"], str(shape.table), row["file"], now.get(row["relation"])) for row in then]


def _bring_places(past: Connection, places: Sequence[tuple[int, int, int]]) -> None:
    load(__name__, "make_gone").named(gone=_GONE).run(past)
    into = load(__name__, "copy_gone_in").named(gone=_GONE)
    with past.cursor() as cursor, cursor.copy(into.copying) as write:
        for relation, block, offset in places:
            write.write_row((relation, f"({block},{offset})"))
    load(__name__, "analyze_keys").named(made=_GONE).run(past)
