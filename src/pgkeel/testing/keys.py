"""Key rings for tests: real keys that lie nowhere but in memory."""

import base64
import os

from pgkeel.core.secret import Secret
from pgkeel.security.keys import KeyRing, LocalProvider, WrappedKey
from pgkeel.security.keys.key import context_of

__all__ = ["new_field_key", "provider_for_tests", "ring_for_tests"]


def new_field_key() -> Secret:
    """Return a key-encryption key, as `[security] key` refers to one."""
    return Secret(base64.urlsafe_b64encode(os.urandom(32)).decode())


def provider_for_tests() -> LocalProvider:
    """Return a provider with a key of its own."""
    return LocalProvider(new_field_key())


def ring_for_tests() -> KeyRing:
    """Return a ring with one active key."""
    provider = provider_for_tests()
    ring = KeyRing(provider)
    ring.take([WrappedKey(1, "active", provider.name, provider.wrap(os.urandom(32), context_of(1)))])
    return ring
