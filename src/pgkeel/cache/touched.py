"""What a write touches, and who the writer is."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from pgkeel.cache.names import Names, Tag

__all__ = ["EVERYTHING", "Touched", "keys_of", "keys_of_tags", "table_of"]

_MOST_ROWS = 500


class Touched(msgspec.Struct, frozen=True):
    """A row, all rows of a table, or all tables; what touches a table touches its tag too.

    Attributes:
        table: The table; "" for all.
        row: Name of the row, or b"".
        every_row: Whether any row may have changed.
        every_value: Whether rows with any column value may have changed: so for all tags of column values.
        is_exact: Whether the tags of the columns that the model declares are named beside it, so that they are left alone.
    """

    table: str
    row: bytes = b""
    every_row: bool = False
    every_value: bool = False
    is_exact: bool = False


EVERYTHING = Touched("")
"""Any row of any table."""


def keys_of(touched: Iterable[Touched | Tag], names: Names) -> tuple[list[bytes], list[bytes]]:
    """Return the names of the rows and of the tags that are to be marked, each once; of very many rows, their table's instead."""
    rows: dict[str, dict[bytes, None]] = {}
    tags: dict[bytes, None] = {}
    for one in touched:
        if isinstance(one, Tag):
            tags[names.tag(one)] = None
        elif not one.table:
            tags[names.everything] = None
        else:
            tags[names.table(one.table)] = None
            if one.every_row or one.every_value:
                tags |= dict.fromkeys(_wide_tags_of(one, names))
            if one.row:
                rows.setdefault(one.table, {})[one.row] = None
    for table, keys in rows.items():
        if len(keys) > _MOST_ROWS:
            keys.clear()
            tags[names.generation(table)] = None
    return [key for keys in rows.values() for key in keys], list(tags)


def keys_of_tags(wanted: Iterable[Tag | str], names: Names, declared: Mapping[str, frozenset[str]]) -> list[bytes]:
    """Return the names of what a result depends on.

    Args:
        wanted: Its tags.
        names: What names keys.
        declared: Table → the columns of which every write says the values, or that any may have changed.
    """
    keys: dict[bytes, None] = {}
    for one in wanted:
        known = Tag(one) if isinstance(one, str) else one
        keys[names.tag(known)] = None
        if known.values:
            said = [pair for pair in known.values if pair[0] in declared.get(known.table, ())]
            if said:
                keys[names.tag(Tag(known.table, (said[0],)))] = None
            keys[(names.inexact if said else names.values)(known.table)] = None
    return list(keys)


def table_of(wanted: Tag | str) -> str:
    """Return the table of a tag."""
    return wanted if isinstance(wanted, str) else wanted.table


def _wide_tags_of(touched: Touched, names: Names) -> Iterator[bytes]:
    if touched.every_row:
        yield names.generation(touched.table)
    yield names.values(touched.table)
    if not touched.is_exact:
        yield names.inexact(touched.table)
