"""Records of a statement as bytes: each value comes back in the type in which the driver gave it, which nobody has declared.

The types of the columns stand in front, as they were found in the values, and choose what decodes the rest.
"""

from abc import ABCMeta
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from itertools import chain
from typing import Any
from uuid import UUID

import msgspec

__all__ = ["Records", "decode_records", "encode_records"]

Records = list[tuple[Any, ...]]
"""The type form of what a statement returns."""
_LENGTH = 2
_NOTHING, _ANYTHING, _MANY = "-", "a", "*"
_ADDRESSES = {kind.__name__: kind for kind in (IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)}


class _Address(metaclass=ABCMeta):  # noqa: B024 - nothing is made of it
    """Stands for the types of addresses: a column has several of them."""


for _kind in _ADDRESSES.values():
    _Address.register(_kind)

_KINDS: dict[str, Any] = {
    _NOTHING: type(None), "b": bool, "i": int, "f": float, "n": Decimal, "s": str, "y": bytes, "u": UUID,
    "t": datetime, "d": date, "c": time, "p": timedelta, "h": _Address, _ANYTHING: Any,
}  # fmt: skip
_LETTERS = {kind: letter for letter, kind in _KINDS.items()} | dict.fromkeys(_ADDRESSES.values(), "h")


def encode_records(records: Records) -> bytes:
    """Return the bytes of records.

    Raises:
        TypeError: A value is of a type that is not kept: a range, a point, a driver's own.
    """
    head = ",".join(map(_form_of, zip(*records, strict=True))).encode()
    return len(head).to_bytes(_LENGTH) + head + _encode(records)


def decode_records(encoded: bytes | memoryview) -> Records:
    """Return the records in bytes or a view of them.

    Raises:
        ValueError: These are other bytes.
    """
    start = _LENGTH + int.from_bytes(encoded[:_LENGTH])
    return _decoder(bytes(encoded[_LENGTH:start]))(encoded[start:])


def _form_of(values: Iterable[Any]) -> str:
    """Return the one type of a column's values, as it is written; JSON may hold anything."""
    values = list(values)
    kinds = {*map(type, values)} - {type(None)}
    if not kinds:
        return _NOTHING
    if kinds == {list}:
        return _form_of(chain.from_iterable(value for value in values if value is not None)) + _MANY
    forms = {_letter_of(kind) for kind in kinds}
    return forms.pop() if len(forms) == 1 else _ANYTHING


def _letter_of(kind: type) -> str:
    return next((_LETTERS[one] for one in kind.__mro__ if one in _LETTERS), _ANYTHING)


@lru_cache(maxsize=1000)
def _decoder(head: bytes) -> Callable[[Any], Records]:
    try:
        columns = tuple(_kind_of(form) for form in head.decode().split(",")) if head else ()
    except KeyError as err:
        raise ValueError("these are no records") from err
    kind: Any = list[tuple.__class_getitem__(columns)] if columns else Records  # type: ignore[misc]
    return msgspec.msgpack.Decoder(kind, dec_hook=_of_text).decode


def _kind_of(form: str) -> Any:  # noqa: ANN401 - a type form
    kind: Any = _KINDS[form.rstrip(_MANY)] | None
    for _ in range(form.count(_MANY)):
        kind = list[kind] | None
    return kind


def _as_text(value: Any) -> str:  # noqa: ANN401 - what msgspec does not know
    if type(value) not in _ADDRESSES.values():
        raise TypeError(f"a {type(value).__name__} is not kept")
    return f"{type(value).__name__} {value}"


def _of_text(kind: Any, said: Any) -> Any:  # noqa: ANN401 - what msgspec does not know
    del kind
    name, _, text = str(said).partition(" ")
    if name not in _ADDRESSES:
        raise ValueError("this is no address")
    return _ADDRESSES[name](text)


_encode = msgspec.msgpack.Encoder(enc_hook=_as_text, uuid_format="bytes").encode
