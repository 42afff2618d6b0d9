"""What a write touches, and who the writer is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import msgspec

from pgkeel.cache.forms import Forms
from pgkeel.cache.names import DIGEST, Names, Tag
from pgkeel.core.errors import UsageError

__all__ = ["EVERYTHING", "Keys", "RowKeys", "Touched", "keys_of", "keys_of_tags", "table_of", "tags_of"]

_MOST_ROWS = 500


class Touched(msgspec.Struct, frozen=True):
    """A row, all rows of a table, or all tables; what touches a table touches its tag too.

    Attributes:
        table: The table; "" for all.
        row: Name of the row, or b"".
        every_row: Whether any row may have changed.
        every_value: Whether rows with any column value may have changed: so for all tags of column values.
        is_exact: Whether the tags of the columns that the model declares are named beside it, so that they are left alone.
        alone: What a write of this row and no more announces, where that is known already.
    """

    table: str
    row: bytes = b""
    every_row: bool = False
    every_value: bool = False
    is_exact: bool = False
    alone: "RowKeys | None" = None


EVERYTHING = Touched("")
"""Any row of any table."""


class Keys(msgspec.Struct, frozen=True):
    """What a write announces.

    Attributes:
        rows: Names of rows.
        tags: Name of a tag → the ends of the names of the rows that are meant, behind each other.
    """

    rows: list[bytes]
    tags: dict[bytes, bytes]

    @property
    def all(self) -> Sequence[bytes]:
        """The names of rows and of tags."""
        return [*self.rows, *self.tags]

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.rows) + len(self.tags)


class RowKeys(msgspec.Struct, frozen=True):
    """What a write of one row and no more announces; it is kept beside the row, so that nothing is to be made for a write.

    Attributes:
        row: Name of the row.
        forms: What is said of it, written down.
        number: How many keys there are.
    """

    row: bytes
    forms: Forms
    number: ClassVar[int] = 2

    @property
    def all(self) -> Sequence[bytes]:
        """The names of the row and of its table's tag."""
        return self.row, self.forms.tag

    @property
    def rows(self) -> list[bytes]:
        """The row's name."""
        return [self.row]

    @property
    def tags(self) -> dict[bytes, bytes]:
        """The name of its table's tag, and the end of its own."""
        return {self.forms.tag: self.row[-DIGEST:]}


def keys_of(touched: Sequence[Touched | Tag], names: Names) -> Keys:
    """Return the names of the rows and of the tags that are to be marked, each once; of very many rows, their table's instead."""
    rows: dict[str, dict[bytes, None]] = {}
    tags: dict[bytes, bytes] = {}
    for one in touched:
        if isinstance(one, Tag):
            tags.setdefault(names.tag(one), b"")
        elif not one.table:
            tags[names.everything] = b""
        else:
            tags[names.table(one.table)] = b""
            if one.every_row or one.every_value:
                tags |= dict.fromkeys(_wide_tags_of(one, names), b"")
            if one.row:
                rows.setdefault(one.table, {})[one.row] = None
    return _with_rows(rows, tags, names)


def _with_rows(rows: Mapping[str, Mapping[bytes, None]], tags: dict[bytes, bytes], names: Names) -> Keys:
    known: list[bytes] = []
    for table, keys in rows.items():
        if len(keys) > _MOST_ROWS:
            tags[names.generation(table)] = b""
        else:
            known += keys
            tags[names.table(table)] = b"".join([key[-DIGEST:] for key in keys])
    return Keys(known, tags)


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
            keys[names.inexact(known.table)] = None
            if not said:
                keys[names.values(known.table)] = None
    return list(keys)


def tags_of(said: Iterable[Tag | str] | Tag) -> list[Tag | str]:
    """Return tags as a list; one that stands alone, and a text, whose letters nobody means, is a list of one.

    Raises:
        UsageError: There is none, so that no write would ever end what is kept; or one is neither a table nor a tag.
    """
    tags = list(said) if isinstance(said, Iterable) and not isinstance(said, str) else [said]
    if not tags or not all(isinstance(each, str | Tag) for each in tags):
        what = f"{tags!r} are not tags" if tags else "without a tag no write would end what is kept"
        raise UsageError(what, hint='name the tables that the result depends on: tags=["posts"]')
    return tags


def table_of(wanted: Tag | str) -> str:
    """Return the table of a tag."""
    return wanted if isinstance(wanted, str) else wanted.table


def _wide_tags_of(touched: Touched, names: Names) -> Iterator[bytes]:
    if touched.every_row:
        yield names.generation(touched.table)
    yield (names.values if touched.is_exact else names.inexact)(touched.table)
