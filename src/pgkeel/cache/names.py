"""The names of keys: keyed hashes, so that neither a row's key nor a tag's value can be read or guessed in the cache."""

import hashlib
import re
from collections.abc import Mapping

import msgspec

from pgkeel.core.errors import ConfigError, UsageError
from pgkeel.core.secret import Secret

__all__ = [
    "DIGEST",
    "Namer",
    "Names",
    "Tag",
    "declarations_of",
    "epoch_of",
    "figures_of",
    "is_marks",
    "marks_of",
    "pattern_of",
    "tag",
]

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_SHORTEST = 16
_EVERYTHING, _MARKS = b"everything", b"!"
DIGEST = 16
"""Bytes that a name ends with, which nobody else's name has."""


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


class Namer:
    """Names things of one kind: rows of one table, tags, results. What the names have in common is hashed once."""

    __slots__ = ("_prefix", "_state")

    def __init__(self, prefix: bytes, key: bytes, kind: bytes, common: object = None) -> None:
        """Begin with what all have in common. BLAKE2b in its keyed form (RFC 7693) is a MAC."""
        self._prefix = prefix
        self._state = hashlib.blake2b(_encode(common), key=key, digest_size=DIGEST, person=kind)

    def __call__(self, what: object) -> bytes:
        """Return the name of one.

        Raises:
            UsageError: It is of a type that cannot be told apart for certain.
        """
        try:
            text = _encode(what)
        except (TypeError, ValueError, OverflowError) as err:
            raise UsageError(f"a cache key cannot be made of this: {err}", hint="use text, numbers, UUIDs, dates") from err
        state = self._state.copy()
        state.update(text)
        return self._prefix + state.digest()


class Names:
    """Makes the names of one namespace with one key."""

    __slots__ = (
        "_key", "_prefix", "_results", "_tables", "_tags", "_wide", "carried", "declarations", "epoch", "everything", "figures"
    )  # fmt: skip

    def __init__(self, namespace: str, secret: Secret) -> None:
        """Take the namespace and a secret of 16 bytes or more that all processes share.

        Raises:
            ConfigError: The secret is too short, or lies there in clear.
        """
        if not isinstance(secret, Secret):
            raise ConfigError("the cache's secret is no Secret", hint="Secret(text), which nothing prints: pgkeel.core.secret")
        raw = secret.reveal().encode()
        if len(raw) < _SHORTEST:
            raise ConfigError("the cache's secret is too short", hint=f"give {_SHORTEST} random characters or more")
        self._key = hashlib.blake2b(raw).digest()
        self._prefix = _prefix_of(namespace)
        self._tags, self._results = self._namer(b"t"), self._namer(b"q")
        self._tables: dict[str, bytes] = {}
        self._wide: dict[tuple[bytes, str], bytes] = {}
        self.epoch = epoch_of(namespace)
        self.everything = self._prefix + _EVERYTHING
        self.carried = self._prefix + b"carried"
        self.figures = figures_of(namespace)
        self.declarations = declarations_of(namespace)

    def rows(self, table: str) -> Namer:
        """Return what names the rows of a table by their keys."""
        return self._namer(b"r", _bare(table))

    def generation(self, table: str) -> bytes:
        """Return the name of the version that all cached rows of a table share."""
        return self._known(b"g", table)

    def values(self, table: str) -> bytes:
        """Return the name of the version that tags of undeclared columns share: a write named the values of the declared ones."""
        return self._known(b"w", table)

    def inexact(self, table: str) -> bytes:
        """Return the name of the version that all tags of a table's column values share: rows with any value were written."""
        return self._known(b"i", table)

    def declared(self, table: str, column: str) -> bytes:
        """Return the name of a column by whose values results are tagged; those of one table begin alike."""
        return self._known(b"d", table)[-DIGEST:] + self._namer(b"d", _bare(table))(column)[-DIGEST:]

    def things(self, kind: str, name: str) -> Namer:
        """Return what names the keys of one recipe."""
        return self._namer(b"x", (kind, name))

    def tag(self, wanted: Tag) -> bytes:
        """Return the name of a tag."""
        return self._tags((_bare(wanted.table), wanted.values)) if wanted.values else self.table(wanted.table)

    def table(self, table: str) -> bytes:
        """Return the name of a table's tag."""
        known = self._tables.get(table)
        if known is None:
            known = self._tables[str(table)] = self._tags((_bare(table), ()))
        return known

    def result(self, name: str, arguments: tuple[object, ...], named: Mapping[str, object]) -> bytes:
        """Return the name of a query's result."""
        return self._results((name, arguments, named))

    def _known(self, kind: bytes, table: str) -> bytes:
        known = self._wide.get((kind, table))
        if known is None:
            known = self._wide[kind, str(table)] = self._namer(kind)(_bare(table))
        return known

    def _namer(self, kind: bytes, common: object = None) -> Namer:
        return Namer(self._prefix, self._key, kind, common)


def _bare(table: str) -> str:
    """Return a table's name as the database's ledger writes it: without `public`, which a model may say or not."""
    return str(table).removeprefix("public.")


def epoch_of(namespace: str) -> bytes:
    """Return the name of the namespace's epoch."""
    return _prefix_of(namespace) + b"epoch"


def declarations_of(namespace: str) -> bytes:
    """Return the name of what processes declare."""
    return _prefix_of(namespace) + b"declared"


def figures_of(namespace: str) -> bytes:
    """Return the name of what processes say of their hits."""
    return _prefix_of(namespace) + b"figures"


def marks_of(tag: bytes) -> bytes:
    """Return the name of what says who is at work under a tag."""
    return tag + _MARKS


def is_marks(name: bytes, namespace: str) -> bool:
    """Return whether it is the name of what says who is at work."""
    rest = name.removeprefix(_prefix_of(namespace))
    return rest.endswith(_MARKS) and len(rest) - len(_MARKS) in {DIGEST, len(_EVERYTHING)}


def pattern_of(namespace: str) -> str:
    """Return what SCAN finds all keys of the namespace by."""
    return re.sub(r"([*?\[\]\\^])", r"\\\1", _prefix_of(namespace).decode()) + "*"


def _prefix_of(namespace: str) -> bytes:
    """Return what all keys begin with; the braces keep them on one node of a cluster."""
    if not namespace or "{" in namespace or "}" in namespace:
        raise ConfigError(f"{namespace!r} cannot name a cache", hint="use a word without braces")
    return b"{%b}:" % namespace.encode()
