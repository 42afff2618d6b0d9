"""What wraps the keys that lie in the database: a key-encryption key that does not.

The file or the environment holds one of 256 bits; a cloud's KMS or Vault's transit engine is one more class with three members.
"""

import base64
import binascii
import hashlib
import os
import stat
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pgkeel.core.errors import ConfigError
from pgkeel.core.files import write_whole
from pgkeel.core.secret import Secret

__all__ = ["KeyProvider", "LocalProvider", "WrongProvider", "ensure_local_key", "provider_from"]

_NONCE = 12
_BYTES = 32


class WrongProvider(ConfigError):
    """The key-encryption key is not the one that wrapped the keys."""

    code = "wrong_key_encryption_key"


class KeyProvider(Protocol):
    """Wraps and unwraps keys of 32 bytes."""

    @property
    def name(self) -> str:
        """What tells it from others; stored beside the keys that it wrapped, never secret."""
        ...

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return the key wrapped; `context` is needed again to unwrap it."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the key.

        Raises:
            WrongProvider: Something else wrapped it, or it was changed.
        """
        ...


class LocalProvider:
    """A key-encryption key in this process: AES-256-GCM."""

    def __init__(self, secret: Secret) -> None:
        """Take the key as `ensure_local_key` writes it: 32 bytes in base64.

        Raises:
            ConfigError: It is something else.
        """
        try:
            key = base64.urlsafe_b64decode(secret.reveal().strip())
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _BYTES:
            made = "python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
            hint = f"restore it where anything is encrypted already; a first one: {made}"
            raise ConfigError("a key-encryption key is 32 bytes in base64", hint=hint)
        self._cipher = AESGCM(key)
        self.name = f"local:{hashlib.sha256(b'pgkeel key-encryption key' + key).hexdigest()[:16]}"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return the key wrapped."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the key.

        Raises:
            WrongProvider: Something else wrapped it, or it was changed.
        """
        try:
            return self._cipher.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], context)
        except (InvalidTag, ValueError):
            hint = "set [security] key to the reference that was in force when the key was added"
            raise WrongProvider("a key of the database does not unwrap", hint=hint) from None

    def __repr__(self) -> str:
        """Print which, not what."""
        return f"LocalProvider({self.name})"


def provider_from(reference: str, folder: Path) -> LocalProvider:
    """Return the provider of a key that `env:NAME` or `file:PATH` refers to; a relative path starts at `folder`.

    Raises:
        ConfigError: The reference points to nothing, to no key, or to a file that others may read.
    """
    kind, _, name = reference.partition(":")
    if kind == "file":
        _require_private(folder / name)
    return LocalProvider(Secret.from_reference(reference, folder=folder))


def ensure_local_key(file: Path) -> None:
    """Make the file of a key-encryption key unless it is there; nothing else may make one for data that exists."""
    if not file.exists():
        write_whole(file, base64.urlsafe_b64encode(os.urandom(_BYTES)) + b"\n")


def _require_private(file: Path) -> None:
    try:
        found = file.lstat()
    except OSError as err:
        raise ConfigError(
            f"the key file {file} cannot be read: {err.strerror}", hint="restore it: without it nothing opens"
        ) from err
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"the key file {file} is a link or no file", hint="name the file itself")
    if found.st_uid not in {os.getuid(), 0} or found.st_mode & 0o077:
        raise ConfigError(f"the key file {file} belongs to somebody else, or others may read it", hint=f"chmod 600 {file}")
