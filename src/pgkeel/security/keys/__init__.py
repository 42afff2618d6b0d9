"""The key ring: keys that lie wrapped in the database, and the key outside of it that unwraps them."""

from pgkeel.security.keys.key import KeyState, WrappedKey
from pgkeel.security.keys.provider import KeyProvider, LocalProvider, WrongProvider, ensure_local_key, provider_from
from pgkeel.security.keys.ring import KeyRing

__all__ = [
    "KeyProvider",
    "KeyRing",
    "KeyState",
    "LocalProvider",
    "WrappedKey",
    "WrongProvider",
    "ensure_local_key",
    "provider_from",
]
