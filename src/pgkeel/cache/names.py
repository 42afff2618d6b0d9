"""The names of keys: keyed hashes, so that neither a row's key nor a tag's value can be read or guessed in the cache."""

import hashlib
import re
from collections.abc import Mapping

import msgspec

from pgkeel.core.errors import ConfigError, UsageError
from pgkeel.core.secret import Secret

__all__ = ["Names", "Tag", "epoch_of", "pattern_of", "tag"]

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_SHORTEST = 16
_DIGEST = 16


class Tag(msgspec.Struct, frozen=True):
    """What a cached result depends on.

    Attributes:
        table: A table.
        values: Column → value of the rows in question; nothing means all rows.
    """

    table: str
    values: tuple[tuple[str, object], ...] = ()


def tag(table: str, /, **values: object) -> Tag:
    """Return the tag of a table, or of its rows with these column values: `tag("posts", user_id=user)`."""
    return Tag(table, tuple(sorted(values.items())))


class Names:
    """Makes the names of one namespace with one key. BLAKE2b in its keyed form (RFC 7693) is a MAC."""

    __slots__ = ("_key", "_prefix", "epoch")

    def __init__(self, namespace: str, secret: Secret) -> None:
        """Take the namespace and a secret of 16 bytes or more that all processes share.

        Raises:
            ConfigError: The secret is too short.
        """
        raw = secret.reveal().encode()
        if len(raw) < _SHORTEST:
            raise ConfigError("the cache's secret is too short", hint=f"give {_SHORTEST} random characters or more")
        self._key = hashlib.blake2b(raw).digest()
        self._prefix = _prefix_of(namespace)
        self.epoch = epoch_of(namespace)

    def row(self, table: str, key: object) -> bytes:
        """Return the name of a row."""
        return self._name(b"r", (table, key))

    def generation(self, table: str) -> bytes:
        """Return the name of the version that all cached rows of a table share."""
        return self._name(b"g", table)

    def tag(self, wanted: Tag) -> bytes:
        """Return the name of a tag."""
        return self._name(b"t", (wanted.table, wanted.values))

    def result(self, name: str, arguments: tuple[object, ...], named: Mapping[str, object]) -> bytes:
        """Return the name of a query's result."""
        return self._name(b"q", (name, arguments, named))

    def _name(self, kind: bytes, what: object) -> bytes:
        try:
            text = _encode(what)
        except (TypeError, ValueError, OverflowError) as err:
            raise UsageError(f"a cache key cannot be made of this: {err}", hint="use text, numbers, UUIDs, dates") from err
        return self._prefix + hashlib.blake2b(text, key=self._key, digest_size=_DIGEST, person=kind).hexdigest().encode()


def epoch_of(namespace: str) -> bytes:
    """Return the name of the namespace's epoch."""
    return _prefix_of(namespace) + b"epoch"


def pattern_of(namespace: str) -> str:
    """Return what SCAN finds all keys of the namespace by."""
    return re.sub(r"([*?\[\]\\^])", r"\\\1", _prefix_of(namespace).decode()) + "*"


def _prefix_of(namespace: str) -> bytes:
    """Return what all keys begin with; the braces keep them on one node of a cluster."""
    if not namespace or "{" in namespace or "}" in namespace:
        raise ConfigError(f"{namespace!r} cannot name a cache", hint="use a word without braces")
    return b"{%b}:" % namespace.encode()
