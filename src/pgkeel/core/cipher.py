"""What seals single values: the contract between models, caches and whoever holds the keys, and values that open when read.

A sealed value is `0x01 | key id, 4 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes`: 33 bytes more than the clear one.
It is bound to its table, column and row, so that one that is moved elsewhere does not open. With 0x02 in front,
it takes the key of a person, too.
"""

import struct
from typing import Any, Protocol

from pgkeel.core.errors import KeelError, Refused

__all__ = [
    "ERASED",
    "OVERHEAD",
    "CannotOpen",
    "Cipher",
    "Erased",
    "FieldCipher",
    "Sealed",
    "UnknownKey",
    "header_of",
    "key_of",
]

OVERHEAD = 33
ERASED = b"\x00erased"
"""What stands in a row in the place of what was sealed for a person who was erased."""

_FORMAT, _BY_SUBJECT = 1, 2
_HEADER = struct.Struct(">BI")


class CannotOpen(Refused):
    """A sealed value does not open: it was changed, cut, or belongs to another row, column or table."""

    code = "cannot_open"


class UnknownKey(KeelError):
    """A sealed value names a key that is not in the key ring: destroyed, or added since the ring was loaded."""

    code = "unknown_key"


class Erased(Refused):
    """A value of a person who was erased: its key is gone for ever."""

    code = "erased"


class FieldCipher(Protocol):
    """Seals the values of one column."""

    def seal(self, row: object, clear: bytes, /) -> bytes:
        """Return the value sealed for a row, by the active key. `row` is its id: a UUID, a number, text or bytes."""
        ...

    def open(self, row: object, sealed: bytes, /) -> bytes:
        """Return the clear value.

        Raises:
            CannotOpen: It was changed, or was not sealed for this row.
            UnknownKey: The ring does not have its key.
            Erased: Its person was erased.
        """
        ...

    def written(self, value: bytes, /) -> tuple[bytes, bytes | None]:
        """Return what the columns `…_bidx` and `…_bidx_next` of a row with this (normalised) value hold."""
        ...

    def lookups(self, value: bytes, /) -> list[bytes]:
        """Return every digest under which a row with this (normalised) value may be found."""
        ...


class Cipher(Protocol):
    """A key ring."""

    def field(self, table: str, column: str, /, *, by_subject: bool = False) -> FieldCipher:
        """Return the cipher of a column; the same object every time. It opens whatever the column holds.

        Args:
            table: Its table.
            column: Its name.
            by_subject: Whether it seals by the key of the person whose row it is, too.
        """
        ...


class Sealed:
    """A text that lies sealed in memory, prints as `***` and is opened each time that it is read."""

    __slots__ = ("_cipher", "value")

    def __init__(self, value: bytes, cipher: FieldCipher | None = None) -> None:
        """Keep the sealed bytes and what opens them.

        Args:
            value: The sealed bytes.
            cipher: Opens them; None for a value that came out of a cache until `bound`.
        """
        self.value = value
        self._cipher = cipher

    def bound(self, cipher: FieldCipher) -> "Sealed":
        """Return the same value with what opens it."""
        return Sealed(self.value, cipher)

    def reveal(self, row: object) -> str:
        """Return the clear text.

        Args:
            row: The id of the row that it was read from.

        Raises:
            CannotOpen: It was changed, or belongs to another row.
            UnknownKey: The ring does not have its key.
        """
        if self._cipher is None:
            raise UnknownKey("this value has no key ring", hint="read it through a Database that was given keys=")
        return self._cipher.open(row, self.value).decode()

    def __eq__(self, other: object) -> bool:
        """Compare the sealed bytes."""
        return isinstance(other, Sealed) and self.value == other.value

    def __hash__(self) -> int:
        """Hash the sealed bytes."""
        return hash(self.value)

    def __repr__(self) -> str:
        """Print nothing of the value."""
        return "Sealed(***)"

    __str__ = __repr__

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the sealed bytes alone."""
        return Sealed, (self.value,)


def header_of(key: int, *, by_subject: bool = False) -> bytes:
    """Return the five bytes with which every value begins that a key sealed, alone or with a person's."""
    return _HEADER.pack(_BY_SUBJECT if by_subject else _FORMAT, key)


def key_of(sealed: bytes) -> int | None:
    """Return the id of the key that sealed a value; None where it is no sealed value."""
    if len(sealed) < OVERHEAD or sealed[0] not in {_FORMAT, _BY_SUBJECT}:
        return None
    key: int = _HEADER.unpack_from(sealed)[1]
    return key
