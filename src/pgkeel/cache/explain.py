"""Say what a read of one row would do, and why: for who wonders why the database is asked."""

from datetime import timedelta
from typing import Any

import msgspec

from pgkeel.cache._sync.client import Client
from pgkeel.cache.codec import Codec
from pgkeel.cache.entry import MARK, MISS, VERSION, Shelf, epoch_ends, joined
from pgkeel.cache.names import Names, Tag
from pgkeel.core.cache_url import CacheUrl

__all__ = ["Explanation", "explain"]

_DEPENDS_ON = 3
_SHAPE = 16
_FRAME = {b"V": _DEPENDS_ON, b"N": _DEPENDS_ON + 1}


class Explanation(msgspec.Struct, frozen=True):
    """What a read would do now.

    Attributes:
        key: The row's name in the cache.
        is_hit: Whether the cache would answer.
        why: The reason in words.
        holds: What lies there: `value`, `no such row`, `lease`, `mark`, `nothing`, `something else`.
        marks: How much longer each write under way keeps readers from filling, at most.
        generation: The version of all rows of the table; "" before the first reader.
        filled_under: The version that the value was filled under.
        shape: The hash of the struct that was filled; "" where there is no value.
        expected: The hash of the struct of today; "" where the model is not known.
        lives_for: How much longer the value is kept; None where there is none.
        age: How old it is at most; None where the model's ttl is not known.
        size: Its bytes.
    """

    key: str
    is_hit: bool
    why: str
    holds: str
    marks: tuple[timedelta, ...]
    generation: str
    filled_under: str
    shape: str
    expected: str
    lives_for: timedelta | None
    age: timedelta | None
    size: int


class Found(msgspec.Struct, frozen=True):
    """What lies in the cache as of one moment.

    Attributes:
        held: Under the row's name.
        shared: The epoch, everything, the generation and the tag of the table.
        left: Milliseconds that the value lives for; below 0 where it has no end.
        now: The server's clock in milliseconds.
        is_trusted: Whether the server keeps marks when its memory is full.
    """

    held: bytes | None
    shared: tuple[bytes | None, ...]
    left: int
    now: int
    is_trusted: bool


def explain(
    url: CacheUrl, names: Names, table: str, key: object, *, row: type | None = None, ttl: timedelta | None = None
) -> Explanation:
    """Return what a read of a row would do.

    Args:
        url: The server.
        names: What names keys: the namespace and its secret.
        table: The table's name.
        key: The row's key in its own type.
        row: The struct of its rows, where it is known.
        ttl: How long its rows are kept, where that is known.

    Raises:
        Unreachable: The server does not answer.
    """
    name = names.rows(table)(key)
    shared = (names.epoch, names.everything, names.generation(table), names.tag(Tag(table)))
    shelf: Shelf[Any] | None = None if row is None else Shelf(shared, Codec(row), strict=_DEPENDS_ON)
    return explanation(name, _found(url, names, name, shared), shelf, ttl)


def explanation(name: bytes, found: Found, shelf: Shelf[Any] | None, ttl: timedelta | None) -> Explanation:
    """Return what the reader would make of what lies there."""
    held, why = found.held or b"", _why(found, shelf)
    frame, current = _FRAME.get(held[:1]), joined(found.shared) or b""
    start = 1 + VERSION * (frame or 0)
    is_filled = frame is not None and len(held) >= start + _SHAPE
    left = timedelta(milliseconds=found.left) if found.left >= 0 else None
    return Explanation(
        key=name.rpartition(b":")[2].hex(),
        is_hit=not why,
        why=why or "the cache answers",
        holds=_kind(found.held),
        marks=tuple(timedelta(milliseconds=left) for raw in (held, *found.shared) for left in _marks(raw, found.now)),
        generation=current[2 * VERSION : 3 * VERSION].decode(errors="replace"),
        filled_under=held[1 + 2 * VERSION : 1 + 3 * VERSION].decode(errors="replace") if is_filled else "",
        shape=held[start : start + _SHAPE].decode(errors="replace") if is_filled else "",
        expected="" if shelf is None else shelf.shape.decode(),
        lives_for=left if is_filled else None,
        age=None if ttl is None or left is None or not is_filled else max(ttl - left, timedelta()),
        size=len(held),
    )


def _why(found: Found, shelf: Shelf[Any] | None) -> str:
    """Return why the cache would not answer, or "" where it would."""
    epoch, held, current = found.shared[0], found.held, joined(found.shared)
    if not found.is_trusted:
        return "the server drops marks when its memory is full (allkeys-*): reads do not use it"
    if epoch is None:
        return "there is no epoch: the server was flushed, or no reader has come yet"
    if found.held is None or held is None:
        is_waiting = epoch_ends(epoch) > found.now
        return "nobody fills in the time after a start or flush" if is_waiting else "nobody has read it yet, or it has ended"
    if current is None:
        return "the versions of its table are gone"
    return _why_not(found, held, current, shelf)


def _why_not(found: Found, held: bytes, current: bytes, shelf: Shelf[Any] | None) -> str:
    kind = held[:1]
    if any(_marks(held, found.now)) or any(_marks(raw, found.now) for raw in found.shared[:_DEPENDS_ON]):
        return "a write is under way, or its writer died"
    if kind not in _FRAME:
        return {b"L": "a reader is reading the database just now", b"T": "a write's mark has ended; the next reader fills"}.get(
            kind, "something lies there that is not ours"
        )
    for place, what in enumerate(("the epoch", "the version of everything", "the table's generation", "the table's tag")):
        span = slice(VERSION * place, VERSION * (place + 1))
        if place < _FRAME[kind] and held[1:][span] != current[span]:
            return f"{what} has changed since it was filled"
    if shelf is not None and shelf.judge(held, current) is MISS:
        return "the model has changed since it was filled, or these bytes are not a row"
    return ""


def _kind(held: bytes | None) -> str:
    if held is None:
        return "nothing"
    return {b"V": "value", b"N": "no such row", b"L": "lease", b"T": "mark"}.get(held[:1], "something else")


def _marks(raw: bytes | None, now: int) -> list[int]:
    """Return for how many milliseconds each mark of a row or tag still counts."""
    start = {b"T": 1, b"G": 1 + VERSION}.get((raw or b"")[:1])
    if raw is None or start is None:
        return []
    marks = [raw[place : place + MARK] for place in range(start, len(raw), MARK)]
    ends = [int(mark[VERSION:]) for mark in marks if mark[VERSION:].isdigit()]
    return [end - now for end in ends if end > now]


def _found(url: CacheUrl, names: Names, name: bytes, shared: tuple[bytes, ...]) -> Found:
    client = Client(url, home=names.epoch)
    try:
        held, *versions = client.call("MGET", name, *shared)
        left, time = client.call("PTTL", name), client.call("TIME")
        assert client.server is not None  # noqa: S101 - it has answered
        now = int(time[0]) * 1000 + int(time[1]) // 1000
        return Found(held, tuple(versions), left, now, client.server.keeps_marks)
    finally:
        client.close()
