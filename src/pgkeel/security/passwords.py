"""Argon2id (RFC 9106): its parameters stand in the hash, so that they can be raised while people go on logging in."""

import threading
from functools import cached_property

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from pgkeel.core.errors import UsageError
from pgkeel.core.secret import Secret

__all__ = ["Passwords"]

_AT_ONCE = threading.BoundedSemaphore(4)  # each takes 64 MiB while it runs
_SHORTEST, _LONGEST = 8, 1024


class Passwords:
    """Hashes and verifies passwords."""

    def __init__(self, *, passes: int = 3, memory_kib: int = 64 * 1024, lanes: int = 4) -> None:
        """Take the second recommended option of RFC 9106 unless told otherwise."""
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=lanes, type=Type.ID)

    def check(self, password: Secret) -> None:
        """Refuse a password that is too short, or too long to be one.

        Raises:
            UsageError: It has fewer than 8 characters, more than 1,024 bytes, or is no text.
        """
        content = _content(password)
        if content is None or len(password.reveal()) < _SHORTEST:
            raise UsageError(
                f"a password has at least {_SHORTEST} characters and at most {_LONGEST} bytes", hint="choose another password"
            )

    def hash(self, password: Secret) -> str:
        """Return the hash, with its parameters and a salt of its own."""
        with _AT_ONCE:
            return self._hasher.hash(password.reveal())

    def verify(self, known: str | None, password: Secret) -> bool:
        """Return whether the password has this hash; where there is none, take as long and return False."""
        content = _content(password)
        is_hash = known is not None and known.startswith("$argon2id$")
        try:
            with _AT_ONCE:
                self._hasher.verify(known if known and is_hash else self._nobody, content or b"")
        except (VerificationError, InvalidHashError):
            return False
        return is_hash and content is not None

    def is_outdated(self, known: str) -> bool:
        """Return whether a hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(known)

    @cached_property
    def _nobody(self) -> str:
        """The hash of a password that nobody knows."""
        return self.hash(Secret.generate())


def _content(password: Secret) -> bytes | None:
    """Return the password's bytes, or None where it cannot be one."""
    try:
        content = password.reveal().encode()
    except UnicodeEncodeError:
        return None
    return content if len(content) <= _LONGEST else None
