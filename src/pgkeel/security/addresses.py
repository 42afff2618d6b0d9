"""Addresses of accounts: sealed where they are kept, found by the digest of their normal form."""

import unicodedata

from pgkeel.core.cipher import Cipher, FieldCipher
from pgkeel.core.errors import ConfigError
from pgkeel.core.ids import random_id
from pgkeel.core.normal_form import normal_form
from pgkeel.security.policy import Addressee

__all__ = ["Addresses"]


class Addresses:
    """The column `users.email`."""

    def __init__(self, keys: Cipher | None) -> None:
        """Take the key ring; without one nothing is sealed or found."""
        self._keys = keys

    def sealed(self, email: str) -> dict[str, object]:
        """Return the values of a new account: its id, the sealed address in lower case, and its digests."""
        user, cipher = random_id(), self._cipher()
        now, then = cipher.written(normal_form("email", email))
        sealed = cipher.seal(user, email.strip().lower().encode())
        return {"id": user, "email": sealed, "digest": now, "next_digest": then}

    def digests(self, email: str) -> list[bytes]:
        """Return every digest under which an account with this address may be found."""
        return self._cipher().lookups(normal_form("email", email))

    def is_own(self, addressee: Addressee, email: str) -> bool:
        """Return whether an address is the account's own, not one that counts as it: that may be a stranger's."""
        return _mailbox(self._cipher().open(addressee.user_id, bytes(addressee.email)).decode()) == _mailbox(email)

    def _cipher(self) -> FieldCipher:
        if self._keys is None:
            raise ConfigError("addresses are encrypted, and this identity has no keys", hint="Database(url, keys=…).identity")
        return self._keys.field("users", "email")


def _mailbox(email: str) -> tuple[bool, bool, str]:
    """Return what a mailbox is known by: servers read capitals as small letters, but no ß as ss and no sign of Kelvin as K."""
    return email.strip().isascii(), "\N{KELVIN SIGN}" in email, unicodedata.normalize("NFC", email.strip()).lower()
