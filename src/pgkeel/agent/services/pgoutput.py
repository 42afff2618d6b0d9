"""The messages of PostgreSQL's built-in output plugin, as far as they say which rows were written.

Format: the manual's "Logical Replication Message Formats", protocol version 1, the same on 15 to 18.
"""

import struct
from collections.abc import Iterable

import msgspec

__all__ = ["Relation", "Written", "written_of"]

_INTEGERS = {20, 21, 23}
_TEXTS = {25, 1043, 2950}
_NO_VALUE = {b"n", b"u"}


class Relation(msgspec.Struct, frozen=True):
    """A table as the messages behind it mean it.

    Attributes:
        name: `posts`, or `schema.posts` outside of `public`.
        keys: Place in the row and type OID of each column of its key.
    """

    name: str
    keys: tuple[tuple[int, int], ...]


class Written(msgspec.Struct):
    """What was written.

    Attributes:
        rows: Table → primary keys.
        tables: Tables of which any row may have changed.
        end: Where in the WAL the last transaction ends; 0 for none.
    """

    rows: dict[str, list[list[object]]]
    tables: set[str]
    end: int = 0


class Reader:
    """Cuts one message into its parts."""

    def __init__(self, message: bytes) -> None:
        """Start behind its kind."""
        self._message = message
        self._place = 1

    def take(self, form: str) -> tuple[int, ...]:
        """Return numbers of a `struct` form."""
        found: tuple[int, ...] = struct.unpack_from(form, self._message, self._place)
        self._place += struct.calcsize(form)
        return found

    def text(self) -> str:
        """Return a text that ends with a zero."""
        end = self._message.index(b"\0", self._place)
        found = self._message[self._place : end].decode()
        self._place = end + 1
        return found

    def letter(self) -> bytes:
        """Return the next byte."""
        self._place += 1
        return self._message[self._place - 1 : self._place]

    def columns(self) -> list[str | None]:
        """Return the values of a row; None is NULL, or one that did not change and is not said."""
        found: list[str | None] = []
        for _ in range(self.take(">h")[0]):
            if self.letter() in _NO_VALUE:
                found.append(None)
                continue
            (length,) = self.take(">i")
            found.append(self._message[self._place : self._place + length].decode())
            self._place += length
        return found


def written_of(messages: Iterable[bytes], relations: dict[int, Relation]) -> Written:
    """Return what messages say; `relations` keeps the tables that they have named so far."""
    written = Written({}, set())
    for message in messages:
        kind, reader = message[:1], Reader(message)
        if kind == b"R":
            number, relation = _relation(reader)
            relations[number] = relation
        elif kind == b"C":
            _, _, written.end = reader.take(">bQQ")
        elif kind == b"T":
            count, _ = reader.take(">iB")
            written.tables |= {relations[number].name for number in reader.take(f">{count}I")}
        elif kind in b"IUD":
            relation = relations[reader.take(">I")[0]]
            _note(written, relation, _rows(kind, reader))
    return written


def _relation(reader: Reader) -> tuple[int, Relation]:
    (number,) = reader.take(">I")
    schema, table = reader.text() or "pg_catalog", reader.text()
    _, count = reader.take(">bh")
    keys = []
    for place in range(count):
        (flags,) = reader.take(">b")
        reader.text()
        kind, _ = reader.take(">Ii")
        keys += [(place, kind)] if flags & 1 else []
    return number, Relation(table if schema == "public" else f"{schema}.{table}", tuple(keys))


def _rows(kind: bytes, reader: Reader) -> list[list[str | None]]:
    """Return a row before and after it was written, as far as the message has them."""
    found = [reader.columns()] if reader.letter() in {b"K", b"O", b"N"} else []
    is_moved = kind == b"U" and reader.letter() == b"N"
    return [*found, reader.columns()] if is_moved else found


def _note(written: Written, relation: Relation, rows: Iterable[list[str | None]]) -> None:
    for row in rows:
        key = [_value(row[place], kind) for place, kind in relation.keys]
        if not key or None in key:
            written.tables.add(relation.name)
        else:
            written.rows.setdefault(relation.name, []).append(key)


def _value(text: str | None, kind: int) -> object:
    """Return a key's part as the cache names it, or None where only its type's own output would do."""
    if text is None or kind in _TEXTS:
        return text
    return int(text) if kind in _INTEGERS else None
