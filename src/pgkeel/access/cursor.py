"""The address of a row in an ordering: opaque to its holder, signed, and bound to the query it came from."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any, Union

import msgspec

from pgkeel.access.errors import InvalidCursor
from pgkeel.access.ordering import Order
from pgkeel.access.shape import Shape
from pgkeel.core.secret import Secret

__all__ = ["CursorCodec"]

_SIGNATURE = 16
_LONGEST = 4096
_encoded = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class CursorCodec:
    """Writes and reads the cursors of one ordering of one model."""

    def __init__(self, shape: Shape[Any], orders: Sequence[Order], secret: Secret) -> None:
        """Derive the key of this query, so that a cursor of another one is refused."""
        steps = [(order.column, order.is_descending, order.nulls_first) for order in orders]
        query = repr((shape.name, shape.table.fullname, steps)).encode()
        key = hmac.digest(secret.reveal().encode(), b"pgkeel cursor 2" + query, hashlib.sha256)
        self._signature = hashlib.blake2b(key=key, digest_size=_SIGNATURE)  # keyed BLAKE2 is a MAC (RFC 7693)
        columns = [shape.table.c[order.column] for order in orders]
        self._fields = [next(name for name in shape.row.__struct_fields__ if shape.names[name] is column) for column in columns]
        kinds = tuple(Union[column.type.python_type, None] for column in columns)  # noqa: UP007 - the operands are values
        self._decoder: msgspec.msgpack.Decoder[tuple[Any, ...]] = msgspec.msgpack.Decoder(tuple[kinds])  # type: ignore[valid-type]

    def write(self, row: object) -> str:
        """Return the cursor of a row."""
        body = _encoded([getattr(row, name) for name in self._fields])
        return _text(self._sign(body) + body)

    def read(self, cursor: str) -> tuple[object, ...]:
        """Return the values of the row that a cursor stands for.

        Raises:
            InvalidCursor: It was altered, or belongs to another query or another key.
        """
        try:
            raw = base64.b64decode(cursor[:_LONGEST].encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        signature, body = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, self._sign(body)) or _text(raw) != cursor:
            raise InvalidCursor(hint="start again from the first page")
        return self._decoder.decode(body)

    def _sign(self, body: bytes) -> bytes:
        signature = self._signature.copy()  # half of what making one from the key takes
        signature.update(body)
        return signature.digest()


def _text(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_URL_SAFE).decode()
