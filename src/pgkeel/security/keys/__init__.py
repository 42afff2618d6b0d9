"""The key ring: keys that lie wrapped in the database, and the key outside of it that unwraps them."""

from pgkeel.security.keys.errors import KeyInUse, NoSuchKey, TooEarly, WrongState
from pgkeel.security.keys.follow import follow
from pgkeel.security.keys.key import KeyState, WrappedKey
from pgkeel.security.keys.provider import KeyProvider, LocalProvider, WrongProvider, ensure_local_key, provider_from
from pgkeel.security.keys.ring import KeyRing
from pgkeel.security.keys.rotate import Rotated, destroy, find, opened, retire, rotate
from pgkeel.security.keys.store import KeyHolder, activate, add, ensure, keys_of, load_ring, rewrap, rows_by_key
from pgkeel.security.keys.subjects import Erasure, erasable, erase, has_subjects, is_known
from pgkeel.security.keys.there import is_there

__all__ = [
    "Erasure",
    "KeyHolder",
    "KeyInUse",
    "KeyProvider",
    "KeyRing",
    "KeyState",
    "LocalProvider",
    "NoSuchKey",
    "Rotated",
    "TooEarly",
    "WrappedKey",
    "WrongProvider",
    "WrongState",
    "activate",
    "add",
    "destroy",
    "ensure",
    "ensure_local_key",
    "erasable",
    "erase",
    "find",
    "follow",
    "has_subjects",
    "is_known",
    "is_there",
    "keys_of",
    "load_ring",
    "opened",
    "provider_from",
    "retire",
    "rewrap",
    "rotate",
    "rows_by_key",
]
