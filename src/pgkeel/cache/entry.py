"""The protocol, without any input or output: what may be served, what may be filled, what must be asked next.

A value is served only while the epoch and the versions of its tags are those that were read *before* the database was.
Whoever fills holds a lease, which every mark of a write replaces; so a read that raced a write never becomes a value.

    rows      V versions shape value | N versions shape (no such row) | L who versions | T marks of writes under way
    tags      G version marks
    epoch     E id quarantine run
"""

import os
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from pgkeel.cache.codec import Codec

__all__ = ["MARK", "VERSION", "Found", "Place", "epoch_ends", "fresh", "held_by"]

T = TypeVar("T")
VERSION = 16
MARK = 29
_VALUE, _NOTHING, _LEASE = b"V", b"N", b"L"
_EPOCH = 1 + VERSION
_DEADLINE = 13


class Found(msgspec.Struct, frozen=True, gc=False):
    """What the cache had.

    Attributes:
        is_hit: Whether `value` is the answer.
        value: It; None for a row that does not exist.
        lease: Whose lease lies there, or b"".
    """

    is_hit: bool
    value: Any = None
    lease: bytes = b""


_MISS = Found(is_hit=False)
_NONE = Found(is_hit=True)


class Place(Generic[T]):
    """Where one value lives, and what it depends on."""

    __slots__ = ("_codec", "key", "keys")

    def __init__(self, key: bytes, epoch: bytes, tags: Sequence[bytes], codec: Codec[T]) -> None:
        """Name the value's key, the epoch's and those of its tags."""
        self._codec = codec
        self.key = key
        self.keys = (key, epoch, *tags)

    @property
    def shape(self) -> bytes:
        """What values of this place look like."""
        return self._codec.shape

    def judge(self, replies: Sequence[bytes | None]) -> Found:
        """Return what one MGET of `keys` means."""
        held, *versions = replies
        if held is None or None in versions:
            return _MISS
        current = b"".join([raw[1:_EPOCH] for raw in versions])  # type: ignore[index]  # none is None
        if held[:1] == _LEASE:
            return _leased(held) if held[_EPOCH:] == current else _MISS
        return self._read(held, current)

    def take(self, reply: bytes) -> tuple[Found, bytes]:
        """Return what the lease's script answered: a value or another's lease, or the versions to fill under."""
        kind = reply[:1]
        if kind == b"+":
            return _MISS, reply[1:]
        if kind == _LEASE:
            return _leased(reply), b""
        if kind in {_VALUE, _NOTHING}:
            return self._read(reply, reply[1 : 1 + VERSION * (len(self.keys) - 1)]), b""
        return _MISS, b""

    def filled(self, value: T | None, versions: bytes) -> bytes | None:
        """Return the bytes to keep, or None for a value that cannot be kept."""
        if value is None:
            return _NOTHING + versions + self._codec.shape
        encoded = self._codec.encode(value)
        return None if encoded is None else _VALUE + versions + self._codec.shape + encoded

    def copied(self, value: T | None) -> T | None:
        """Return a value of its own for one more caller, who may change it."""
        encoded = None if value is None else self._codec.encode(value)
        return value if encoded is None else self._codec.decode(encoded)

    def _read(self, held: bytes, current: bytes) -> Found:
        head = current + self._codec.shape
        if not held.startswith(head, 1):
            return _MISS
        if held[:1] == _NOTHING:
            return _NONE
        if held[:1] != _VALUE:
            return _MISS
        try:
            return Found(True, self._codec.decode(memoryview(held)[1 + len(head) :]))
        except msgspec.MsgspecError:
            return _MISS


def held_by(who: bytes, versions: bytes) -> bytes:
    """Return what lies in the cache until its holder fills: a read under other versions is not worth sharing."""
    return _LEASE + who + versions


def _leased(held: bytes) -> Found:
    return Found(is_hit=False, lease=held[1:_EPOCH])


def fresh() -> bytes:
    """Return a new version, or who asks: 16 letters that nobody else has."""
    return os.urandom(VERSION // 2).hex().encode()


def epoch_ends(raw: bytes) -> int:
    """Return until when nobody fills in an epoch, in milliseconds of the server's clock."""
    return int(raw[_EPOCH : _EPOCH + _DEADLINE])
