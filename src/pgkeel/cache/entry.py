"""The protocol, without any input or output: what may be served, what may be filled, what must be asked next.

A value is served only while the epoch and the versions of its tags are those that were read *before* the database was.
Whoever fills holds a lease, which every mark of a write replaces; so a read that raced a write never becomes a value.

    rows      V versions shape value | N versions shape (no such row) | L who versions
    tags      G version
    tags!     who writes → until when, or - where no reader has met that mark yet, and the ends of the names of the rows
    epoch     E id quarantine run|database

That there is no row depends on the table's tag too: an INSERT does not always know its key before it commits.
"""

import os
import random
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from pgkeel.cache.codec import Codec
from pgkeel.cache.figures import Tally
from pgkeel.cache.near import Kept

__all__ = ["MISS", "VERSION", "Shelf", "Taken", "epoch_ends", "fresh", "held_by", "joined"]

T = TypeVar("T")
VERSION = 16
_VALUE, _NOTHING, _LEASE = b"V", b"N", b"L"
_EPOCH = 1 + VERSION
_DEADLINE = 13
_SMALL = 4096
"""Bytes up to which a copy costs less than a view."""


MISS: Any = object()
"""What `judge` returns where nothing may be served."""


class Shelf(Generic[T]):
    """Values of one type that depend on the same things, each under a key of its own.

    Attributes:
        decode: What returns a value of it in bytes.
    """

    __slots__ = ("_codec", "_head", "_length", "_only_in", "decode", "shape", "shared", "strict", "tally")

    def __init__(
        self,
        shared: tuple[bytes, ...],
        codec: Codec[T],
        *,
        strict: int | None = None,
        tally: Tally | None = None,
        only_in: bytes = b"",
    ) -> None:
        """Say what the values depend on.

        Args:
            shared: The keys of the epoch and of the tags.
            codec: Makes bytes of a value.
            strict: How many of them a value that is not None depends on; the first ones.
            tally: Where reads are counted.
            only_in: The only epoch in which values may be kept; b"" is any.
        """
        self._codec = codec
        self.decode = codec.decode
        self.tally = tally or Tally()
        self.shared = shared
        self._only_in = only_in
        self.shape = codec.shape
        self.strict = len(shared) if strict is None else strict
        self._length = VERSION * self.strict
        self._head = b"", b""

    def judge(self, held: bytes | None, current: bytes | None) -> T | None:
        """Return the value that lies there, or `MISS` where it may not be served.

        Args:
            held: What lies there.
            current: What `joined` made of the versions that lie beside it.
        """
        if held is None or current is None:
            return MISS  # type: ignore[no-any-return]
        seen, head = self._head
        if current is not seen:  # mostly it is what another read of the same batch gave
            head = b"V" + current[: self._length] + self.shape
            self._head = current, head
        if held.startswith(head):
            try:
                start = len(head)
                return self.decode(held[start:] if len(held) < _SMALL else memoryview(held)[start:])
            except ValueError:
                return MISS  # type: ignore[no-any-return]
        if held.startswith(_NOTHING) and held.startswith(current + self.shape, 1):
            return None
        return MISS  # type: ignore[no-any-return]

    def near(self, kept: Kept) -> T | None:
        """Return a value that this process keeps, or `MISS`; it is judged once."""
        if kept.shelf is not self:
            value = self.judge(kept.held, kept.current)
            if value is MISS:
                return MISS
            encoded = memoryview(kept.held)[1 + self._length + len(self.shape) :]
            kept.again, kept.shelf = self._codec.again(value, encoded), self
        return kept.again()  # type: ignore[no-any-return]

    def lease_in(self, held: bytes | None, current: bytes | None) -> bytes:
        """Return who holds a lease there under the versions that are valid now, or b""."""
        if held is None or current is None or held[:1] != _LEASE:
            return b""
        return held[1:_EPOCH] if held.startswith(current[: self._length], _EPOCH) else b""

    def take(self, reply: bytes) -> "Taken[T]":
        """Return what the lease's script answered: a value or another's lease, or the versions to fill under."""
        kind = reply[:1]
        if kind == b"+":
            return Taken(versions=reply[1:])
        if kind == _LEASE:
            return Taken(lease=reply[1:_EPOCH])
        if kind in {_VALUE, _NOTHING}:
            return Taken(self.judge(reply, reply[1 : 1 + VERSION * len(self.shared)]))
        return Taken()

    def is_kept_in(self, versions: bytes) -> bool:
        """Return whether values may be kept in the epoch with which versions begin."""
        return versions.startswith(self._only_in)

    def filled(self, value: T | None, versions: bytes) -> bytes | None:
        """Return the bytes to keep, or None for a value that cannot be kept."""
        if value is None:
            return _NOTHING + versions + self.shape
        encoded = self._codec.encode(value)
        return None if encoded is None else _VALUE + versions[: self._length] + self.shape + encoded

    def payload(self, kept: bytes) -> bytes:
        """Return what `filled` returned without its versions."""
        versions = len(self.shared) if kept[:1] == _NOTHING else self.strict
        return kept[:1] + kept[1 + VERSION * versions :]

    def copy_of(self, held: bytes | None, epoch: bytes) -> T | None:
        """Return the value in an epoch and a `payload` behind it, or `MISS`."""
        if held is None or not held.startswith(epoch) or not held.startswith(self.shape, VERSION + 1):
            return MISS  # type: ignore[no-any-return]
        if held[VERSION : VERSION + 1] == _NOTHING:
            return None
        try:
            return self.decode(memoryview(held)[VERSION + 1 + len(self.shape) :])
        except ValueError:
            return MISS  # type: ignore[no-any-return]


def joined(versions: Sequence[bytes | None]) -> bytes | None:
    """Return the versions of the epoch and of tags as a value begins with them, or None when one is missing."""
    try:
        return b"".join([raw[1:_EPOCH] for raw in versions])  # type: ignore[index]  # None raises
    except TypeError:
        return None


_chance = random.Random(os.urandom(32))  # noqa: S311 - these must differ, and need not be secret  # nosec B311
os.register_at_fork(after_in_child=lambda: _chance.seed(os.urandom(32)))


class Taken(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """What asking for a lease brought.

    Attributes:
        value: A value that lies there by now, or `MISS`.
        lease: Whose lease lies there, or b"".
        versions: What to fill under, or b"" where we may not.
    """

    value: T | None = MISS
    lease: bytes = b""
    versions: bytes = b""


def held_by(who: bytes, versions: bytes) -> bytes:
    """Return what lies in the cache until its holder fills: a read under other versions is not worth sharing."""
    return _LEASE + who + versions


def fresh(_draw: Callable[[int], int] = _chance.getrandbits) -> bytes:
    """Return a new version, or who asks: 16 letters that nobody else has."""
    return b"%016x" % _draw(64)


def epoch_ends(raw: bytes) -> int:
    """Return until when nobody fills in an epoch, in milliseconds of the server's clock."""
    return int(raw[_EPOCH : _EPOCH + _DEADLINE])
