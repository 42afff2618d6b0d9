"""Names of objects: parts that mean the same on every file system and in every bucket, and never lead elsewhere."""

import re

from pgkeel.core.errors import UsageError

__all__ = ["is_key", "require_key"]

_KEY = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]*(?:/[0-9A-Za-z_-][0-9A-Za-z._-]*)*")


def is_key(key: str) -> bool:
    """Return whether a name can be an object's: what else lies there (`lost+found`, a note with a space) is not ours."""
    return _KEY.fullmatch(key) is not None


def require_key(key: str) -> None:
    """Refuse a name that could leave the repository.

    Raises:
        UsageError: It is empty, absolute, or has a part that begins with a dot.
    """
    if not is_key(key):
        raise UsageError(f"{key!r} cannot name an object", hint="parts of letters, digits, dots, - and _, joined by /")
