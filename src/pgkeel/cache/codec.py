"""Values as bytes: msgpack, preceded by a hash of their type, so that a changed model misses and never misreads."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import inspect

from pgkeel.core.cipher import CannotOpen, FieldCipher, Sealed, UnknownKey
from pgkeel.core.errors import UsageError

__all__ = ["Codec", "SealedCodec"]

T = TypeVar("T")
_SHAPE = 16
_CONSTANT = (
    *(inspect.NoneType, inspect.BoolType, inspect.IntType, inspect.FloatType, inspect.DecimalType, inspect.StrType),
    *(inspect.BytesType, inspect.UUIDType, inspect.DateTimeType, inspect.DateType, inspect.TimeType, inspect.TimeDeltaType),
    *(inspect.EnumType, inspect.LiteralType),
)


class Codec(Generic[T]):
    """Encodes and decodes values of one type.

    Attributes:
        shape: A hash of the type.
        decode: Returns the value in bytes or a view of them; raises `msgspec.DecodeError` where these are other bytes.
        has_sealed: Whether values may hold sealed ones, which come back without what opens them.
    """

    __slots__ = ("_decode", "_encode", "_is_flat", "decode", "has_sealed", "shape")

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
        self._encode = msgspec.msgpack.Encoder(enc_hook=_sealed, uuid_format="bytes").encode
        self._decode = msgspec.msgpack.Decoder(kind, dec_hook=_unsealed).decode
        self.decode: Callable[[Any], T] = self._decode
        self._is_flat = _is_flat(kind)

    def again(self, value: Any, encoded: memoryview) -> Callable[[], T]:  # noqa: ANN401 - a T
        """Return what gives everybody who asks a value of his own: a copy where nothing in it can change, else decoded anew."""
        return value.__copy__ if self._is_flat else partial(self.decode, encoded)

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
        self._is_flat = False  # it stays sealed in memory

    def encode(self, value: T) -> bytes | None:
        """Return the sealed bytes, or None for a value that would not come back as it is."""
        clear = super().encode(value)
        return None if clear is None else self._cipher.seal(self.shape, clear)

    def _opened(self, encoded: Any) -> T:  # noqa: ANN401 - bytes or a view of them
        try:
            return self._decode(self._cipher.open(self.shape, bytes(encoded)))
        except (CannotOpen, UnknownKey) as err:
            raise msgspec.DecodeError(err.message) from err


def _is_flat(kind: type) -> bool:
    """Return whether it is a struct in which nothing can be changed but its fields."""
    found = inspect.type_info(kind)
    return isinstance(found, inspect.StructType) and all(_is_constant(field.type) for field in found.fields)


def _is_constant(found: inspect.Type) -> bool:
    match found:
        case inspect.UnionType():
            return all(map(_is_constant, found.types))
        case inspect.Metadata():
            return _is_constant(found.type)
        case _:
            return isinstance(found, _CONSTANT)


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
