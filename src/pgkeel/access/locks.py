"""Names of advisory locks: words and keys in, one text out that two different names never share."""

import msgspec

from pgkeel.core.errors import UsageError

__all__ = ["lock_name"]


def lock_name(parts: tuple[object, ...]) -> str:
    """Return the text of a lock's name; `("invoice", 42)` and `("invoice", "42")` are different locks.

    Raises:
        UsageError: It has no part, or one that cannot be written down.
    """
    if not parts:
        raise UsageError("an advisory lock has a name", hint='tx.lock("invoice", 42)')
    try:
        return msgspec.json.encode(parts).decode()
    except TypeError:
        raise UsageError("the name of a lock is made of texts, numbers, UUIDs and dates", hint='tx.lock("invoice", 42)') from None
