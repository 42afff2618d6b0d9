"""Values as bytes: msgpack, preceded by a hash of their type, so that a changed model misses and never misreads."""

import hashlib
from typing import Any, Generic, TypeVar

import msgspec

from pgkeel.core.errors import UsageError

__all__ = ["Codec"]

T = TypeVar("T")
_SHAPE = 16


class Codec(Generic[T]):
    """Encodes and decodes values of one type."""

    __slots__ = ("_decode", "_encode", "shape")

    def __init__(self, kind: type[T]) -> None:
        """Read the type.

        Raises:
            UsageError: Values of this type do not survive a cache.
        """
        try:
            description = msgspec.json.encode(msgspec.json.schema_components((kind,)), order="deterministic")
        except TypeError as err:
            raise UsageError(f"{kind} cannot be cached: {err}", hint="use structs of plain types") from err
        self.shape = hashlib.sha256(repr(kind).encode() + description).hexdigest()[:_SHAPE].encode()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode

    def encode(self, value: T) -> bytes | None:
        """Return the bytes, or None for a value that would not come back as it is (a NaN, a UUID inside JSON)."""
        try:
            encoded = self._encode(value)
            return encoded if self._decode(encoded) == value else None
        except (TypeError, ValueError, OverflowError, RecursionError):
            return None

    def decode(self, encoded: Any) -> T:  # noqa: ANN401 - bytes or a view of them
        """Return the value.

        Raises:
            msgspec.DecodeError: These are other bytes.
        """
        return self._decode(encoded)
