"""Values as bytes: msgpack, preceded by a hash of their type, so that a changed model misses and never misreads."""

import hashlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

import msgspec
from msgspec.structs import force_setattr

from pgkeel.cache.records import Records, decode_records, encode_records
from pgkeel.core.cipher import CannotOpen, FieldCipher, Sealed, UnknownKey
from pgkeel.core.errors import UsageError

__all__ = ["Codec", "SealedCodec"]

T = TypeVar("T")
_SHAPE = 16
_CONSTANT = {type(None), bool, int, float, Decimal, str, bytes, UUID, datetime, date, time, timedelta}
"""Types of values that nobody can change."""


class Codec(Generic[T]):
    """Encodes and decodes values of one type.

    Attributes:
        shape: A hash of the type.
        decode: Returns the value in bytes or a view of them; raises `ValueError` where these are other bytes.
        has_sealed: Whether values may hold sealed ones, which come back without what opens them.
    """

    __slots__ = ("_decode", "_encode", "decode", "has_sealed", "shape")

    def __init__(self, kind: type[T]) -> None:
        """Read the type.

        Raises:
            UsageError: Values of this type do not survive a cache.
        """
        try:
            components = msgspec.json.schema_components((kind,), schema_hook=_schema)
            description = msgspec.json.encode(components, order="deterministic")
        except (TypeError, NotImplementedError) as err:
            raise UsageError(f"{kind} cannot be cached: {err}", hint="use structs of plain types") from err
        self.shape = hashlib.sha256(repr(kind).encode() + description).hexdigest()[:_SHAPE].encode()
        self.has_sealed = b'"sealed"' in description
        self._encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder(enc_hook=_sealed, uuid_format="bytes").encode
        self._decode: Callable[[Any], T] = msgspec.msgpack.Decoder(kind, dec_hook=_unsealed).decode
        if kind == Records:
            self._encode, self._decode = encode_records, cast("Callable[[Any], T]", decode_records)
        self.decode = self._decode

    def again(self, value: Any, encoded: memoryview) -> Callable[[], T]:  # noqa: ANN401 - a T
        """Return what gives everybody who asks a value that nobody else can change: a copy where that is cheap, else decoded.

        Args:
            value: What lies there; nobody else has it.
            encoded: The same, encoded.
        """
        return _copying(value) or partial(self.decode, encoded)

    def encode(self, value: T) -> bytes | None:
        """Return the bytes, or None for a value that would not come back as it is (a NaN, a UUID inside JSON)."""
        try:
            encoded = self._encode(value)
            return encoded if self._decode(encoded) == value else None
        except (NotImplementedError, TypeError, ValueError, OverflowError, RecursionError):
            return None


class SealedCodec(Codec[T]):
    """The same, each value sealed whole: what it was made of is encrypted in the database."""

    __slots__ = ("_cipher",)

    def __init__(self, kind: type[T], cipher: FieldCipher) -> None:
        """Read the type; the cipher seals.

        Raises:
            UsageError: Values of this type do not survive a cache.
        """
        super().__init__(kind)
        self._cipher = cipher
        self.decode = self._opened

    def encode(self, value: T) -> bytes | None:
        """Return the sealed bytes, or None for a value that would not come back as it is."""
        clear = super().encode(value)
        return None if clear is None else self._cipher.seal(self.shape, clear)

    def again(self, value: Any, encoded: memoryview) -> Callable[[], T]:  # noqa: ANN401 - a T
        """Return what opens it for everybody who asks: it stays sealed in memory."""
        del value
        return partial(self.decode, encoded)

    def _opened(self, encoded: Any) -> T:  # noqa: ANN401 - bytes or a view of them
        try:
            return self._decode(self._cipher.open(self.shape, bytes(encoded)))
        except (CannotOpen, UnknownKey) as err:
            raise ValueError(err.message) from err


def _copying(value: Any) -> Callable[[], Any] | None:  # noqa: ANN401 - any value
    """Return what copies a struct of constants and of dicts and lists of these; None for other values.

    Of a frozen struct of constants there is one for all.
    """
    if not isinstance(value, msgspec.Struct):
        return None
    copy: Callable[[], Any] = value.__copy__  # type: ignore[attr-defined]
    fields = [(name, getattr(value, name)) for name in value.__struct_fields__]
    changing = [(name, field) for name, field in fields if type(field) not in _CONSTANT]
    if not all(_is_shallow(field) for _, field in changing):
        return None
    if changing:
        return partial(_copied, copy, [(name, field.copy) for name, field in changing])
    return (lambda: value) if value.__struct_config__.frozen else copy


def _is_shallow(field: Any) -> bool:  # noqa: ANN401 - any value
    """Return whether it is a dict or a list of constants; the keys of JSON are text."""
    inner = field.values() if type(field) is dict else field if type(field) is list else None
    return inner is not None and all(type(each) in _CONSTANT for each in inner)


def _copied(copy: Callable[[], Any], fields: list[tuple[str, Callable[[], Any]]]) -> Any:  # noqa: ANN401 - a struct
    fresh = copy()
    for name, of_field in fields:
        force_setattr(fresh, name, of_field())
    return fresh


def _schema(kind: type) -> dict[str, Any]:
    if kind is not Sealed:
        raise NotImplementedError
    return {"type": "string", "format": "sealed"}


def _sealed(value: Any) -> bytes:  # noqa: ANN401 - what msgspec does not know
    """A sealed field stays sealed: what lies in the cache is what lies in the database."""
    if not isinstance(value, Sealed):
        raise NotImplementedError
    return value.value


def _unsealed(kind: type, value: Any) -> Any:  # noqa: ANN401 - what msgspec does not know
    if kind is not Sealed or not isinstance(value, bytes):
        raise NotImplementedError
    return Sealed(value)
