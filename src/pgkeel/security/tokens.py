"""Bearer tokens: 256 random bits for the one who holds them, their SHA-256 for the database."""

import hashlib
import re

from pgkeel.core.secret import Secret

__all__ = ["digest", "new_token"]

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> Secret:
    """Return a new token: 43 URL-safe characters."""
    return Secret.generate(32)


def digest(token: Secret) -> str | None:
    """Return the hex SHA-256 of a token, or None where the text cannot be one: nobody asks the database about that."""
    text = token.reveal()
    if _TOKEN.fullmatch(text) is None:
        return None
    return hashlib.sha256(text.encode()).hexdigest()
