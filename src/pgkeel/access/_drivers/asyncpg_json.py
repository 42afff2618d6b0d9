"""JSON as asyncpg's connections read and write it."""

import json
from collections.abc import Iterable
from typing import Any

import asyncpg
import msgspec

__all__ = ["copy_json", "read_json"]

_decoded = msgspec.json.Decoder(float_hook=float).decode  # of numbers beyond the range of floats inf comes, as from `json`
_KINDS = frozenset({"json", "jsonb"})


async def read_json(raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Let JSON arrive as Python values and leave as text, exactly as SQLAlchemy's dialect wants it.

    In text form: then no function of Python stands between the wire and the value of a jsonb.
    """
    await raw.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=_from_json)
    await raw.set_type_codec("jsonb", schema="pg_catalog", encoder=str, decoder=_decoded)


async def copy_json(raw: "asyncpg.Connection[asyncpg.Record]", types: Iterable[str]) -> bool:
    """Prepare for binary COPY into columns of these types; whether `read_json` has something to put back after it.

    Where that does not happen, what is read stays the same, and takes longer.
    """
    kinds = _KINDS.intersection(kind.removesuffix("[]") for kind in types)
    if "json" in kinds:
        await raw.set_type_codec("json", schema="pg_catalog", format="binary", encoder=str.encode, decoder=_from_json)
    if "jsonb" in kinds:
        await raw.set_type_codec("jsonb", schema="pg_catalog", format="binary", encoder=_to_jsonb, decoder=_from_jsonb)
    return bool(kinds)


def _to_jsonb(text: str) -> bytes:
    return b"\x01" + text.encode()


def _from_jsonb(wire: bytes) -> Any:  # noqa: ANN401 - any JSON value
    return _decoded(wire[1:])


def _from_json(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value; a json may hold half of a surrogate pair, which only the standard library reads."""
    try:
        return _decoded(text)
    except msgspec.DecodeError:
        return json.loads(text)
