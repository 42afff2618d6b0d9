"""Where identifiers come from: random, time-ordered (RFC 9562 version 7) and derived from a name (version 5)."""

import os
import time
import uuid
from uuid import UUID

__all__ = ["derived_id", "new_id", "random_id"]

_VERSION_7 = 0x7000
_VARIANT = 0x8000000000000000


def random_id() -> UUID:
    """Return a version 4 id; what `gen_random_uuid()` gives in SQL."""
    return uuid.uuid4()


def new_id() -> UUID:
    """Return a version 7 id, ordered by millisecond; what the schema's `new_id()` gives in SQL."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10))
    high = (milliseconds << 16) | _VERSION_7 | (random >> 68)
    low = _VARIANT | (random & 0x3FFFFFFFFFFFFFFF)
    return UUID(int=(high << 64) | low)


def derived_id(*parts: str) -> UUID:
    """Return the version 5 id of the parts in their order: the same parts always give the same id."""
    return uuid.uuid5(uuid.NAMESPACE_URL, "pgkeel:" + "\x1f".join(parts))
