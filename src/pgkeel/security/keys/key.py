"""A key as the database keeps it: wrapped, with the state that says what it may still do."""

import struct
from datetime import datetime
from typing import Literal

import msgspec

__all__ = ["KeyState", "WrappedKey", "context_of"]

KeyState = Literal["pending", "active", "previous", "retired", "destroyed"]
"""Known everywhere, seals nothing yet → seals → opens, and the search index is still its own → opens only → gone."""


class WrappedKey(msgspec.Struct, frozen=True):
    """One row of `pgkeel.keys`.

    Attributes:
        id: Stands in every value that it sealed.
        state: What it may do.
        provider: What wrapped it.
        wrapped: Itself, wrapped; None once it is destroyed.
        changed_at: When it came into this state; None where only memory knows it.
    """

    id: int
    state: KeyState
    provider: str
    wrapped: bytes | None
    changed_at: datetime | None = None

    def __repr__(self) -> str:
        """Print which key, not what it is."""
        return f"WrappedKey(id={self.id}, state={self.state})"


def context_of(key: int) -> bytes:
    """Return what binds a wrapped key to its id."""
    return b"pgkeel key" + struct.pack(">I", key)
