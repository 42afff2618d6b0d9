# Generated from pgkeel/cache/_async/rows.py by tools/unasync.py; do not edit.
"""The row cache: one table's rows by their key."""

from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from pgkeel.cache._colour.threaded import Call
from pgkeel.cache._sync.reader import Reader
from pgkeel.cache.codec import Codec
from pgkeel.cache.entry import Shelf
from pgkeel.cache.forms import forms_of
from pgkeel.cache.life import Life
from pgkeel.cache.names import Tag
from pgkeel.cache.touched import RowKeys, Touched
from pgkeel.core.errors import UsageError

__all__ = ["RowCache"]

R = TypeVar("R", bound=msgspec.Struct)
_DEPENDS_ON = 3
"""Epoch, everything and the table's generation; that there is no row depends on the table's tag too."""
_MOST_KNOWN = 10_000
_PLAIN = {UUID, str, bytes}
"""Types of keys that need no conversion; drivers return subclasses. A bool is an int, so that ints are looked at."""


class RowCache(Generic[R]):
    """Rows of one table; `Cache.rows` makes these."""

    def __init__(self, reader: Reader, table: str, row: type[R], key: Any, life: Life) -> None:  # noqa: ANN401 - a type form
        """Take the table's name, the struct of its rows and the type of its key."""
        self._reader = reader
        self._table = table
        self._key_type = key
        self._plain = key if key in _PLAIN else ()
        self._is_small = key in {UUID, int}
        self._known: dict[object, Touched] = {}
        self._life = life
        names = reader.names
        self._name, self._forms = names.rows(table), forms_of(names.table(table))
        self._shelf = Shelf(
            (names.epoch, names.everything, names.generation(table), names.tag(Tag(table))),
            Codec(row),
            strict=_DEPENDS_ON,
            tally=reader.tallies.of(table),
        )
        reader.stale.expect(life)

    def get(self, key: object, load: Call[R | None]) -> R | None:
        """Return the row with this key, or None where there is none.

        Args:
            key: The key.
            load: Called with the key in its own type on a miss; reads the primary, outside of any transaction.

        Raises:
            UsageError: The key is not of the table's type.
        """
        if not isinstance(key, self._plain):
            key = self._own(key)
        known = (self._known.get(key) if self._is_small else None) or self._remembered(key)
        return self._reader.read(known.row, self._shelf, self._life, load, (key,))

    def _remembered(self, key: object) -> Touched:
        """Return the row, and remember it where that is safe: of equal keys all name it, and none is long."""
        name = self._name(key)
        touched = Touched(self._table, row=name, alone=RowKeys(name, self._forms))
        if self._is_small:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = touched
        return touched

    def row(self, key: object) -> Touched:
        """Return what a write of this row touches: it, and its table's tag."""
        if not isinstance(key, self._plain):
            key = self._own(key)
        return (self._known.get(key) if self._is_small else None) or self._remembered(key)

    def every_row(self) -> Touched:
        """Return what a write of unknown rows touches: all of the table's, and its tag."""
        return Touched(self._table, every_row=True)

    def _own(self, key: object) -> object:
        """Return the key in its one form, whoever names it: a UUID and its text are the same row."""
        if isinstance(key, self._plain):
            return key
        try:
            return msgspec.convert(key, self._key_type, strict=False)
        except msgspec.ValidationError as err:
            raise UsageError(f"{self._table}: this is not a key: {err}", hint=f"it is of type {self._key_type}") from err
