"""JSON as asyncpg's connections read and write it."""

import json
from typing import Any

import asyncpg
import msgspec

__all__ = ["read_json"]

_decoded = msgspec.json.Decoder().decode


async def read_json(raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Let JSON arrive as Python values and leave as text, exactly as SQLAlchemy's dialect wants it."""
    await raw.set_type_codec("json", schema="pg_catalog", format="binary", encoder=str.encode, decoder=_from_json)
    await raw.set_type_codec("jsonb", schema="pg_catalog", format="binary", encoder=_to_jsonb, decoder=_from_jsonb)


def _to_jsonb(text: str) -> bytes:
    return b"\x01" + text.encode()


def _from_jsonb(wire: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value, as `_from_json`; each row of a page comes through here."""
    try:
        return _decoded(wire[1:])
    except msgspec.DecodeError:
        return json.loads(wire[1:])


def _from_json(text: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value; msgspec is five times faster and refuses the numbers that only the standard library can read."""
    try:
        return _decoded(text)
    except msgspec.DecodeError:
        return json.loads(text)
