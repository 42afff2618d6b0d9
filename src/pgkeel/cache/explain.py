"""Say what a read of one row would do, and why: for who wonders why the database is asked."""

from datetime import timedelta
from typing import Any

import msgspec

from pgkeel.cache._sync.client import Client
from pgkeel.cache.codec import Codec
from pgkeel.cache.entry import MISS, VERSION, Shelf, epoch_ends, joined
from pgkeel.cache.names import DIGEST, Names, Tag, marks_of
from pgkeel.core.cache_url import CacheUrl

__all__ = ["Explanation", "explain"]

_DEPENDS_ON = 3
_SHAPE = 16
_DEADLINE = 13
_FRAME = {b"V": _DEPENDS_ON, b"N": _DEPENDS_ON + 1}


class Explanation(msgspec.Struct, frozen=True):
    """What a read would do now.

    Attributes:
        key: The row's name in the cache.
        is_hit: Whether the cache would answer.
        why: The reason in words.
        holds: What lies there: `value`, `no such row`, `lease`, `nothing`, `something else`.
        marks: How much longer each write under way keeps readers from filling, at most; counted from when a reader meets it.
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
        marks: Beside each of them, the writes under way: until when, or b"-" where no reader has met it, and which rows.
        left: Milliseconds that the value lives for; below 0 where it has no end.
        now: The server's clock in milliseconds.
        is_trusted: Whether the server keeps marks when its memory is full.
    """

    held: bytes | None
    shared: tuple[bytes | None, ...]
    marks: tuple[tuple[bytes, ...], ...]
    left: int
    now: int
    is_trusted: bool


def explain(
    url: CacheUrl,
    names: Names,
    table: str,
    key: object,
    *,
    row: type | None = None,
    ttl: timedelta | None = None,
    mark: timedelta = timedelta(seconds=10),
) -> Explanation:
    """Return what a read of a row would do.

    Args:
        url: The server.
        names: What names keys: the namespace and its secret.
        table: The table's name.
        key: The row's key in its own type.
        row: The struct of its rows, where it is known.
        ttl: How long its rows are kept, where that is known.
        mark: How long a write may take from the announcement of its COMMIT to its end.

    Raises:
        Unreachable: The server does not answer.
    """
    name = names.rows(table)(key)
    shared = (names.epoch, names.everything, names.generation(table), names.tag(Tag(table)))
    shelf: Shelf[Any] | None = None if row is None else Shelf(shared, Codec(row), strict=_DEPENDS_ON)
    return explanation(name, _found(url, names, name, shared), shelf, ttl, mark)


def explanation(name: bytes, found: Found, shelf: Shelf[Any] | None, ttl: timedelta | None, mark: timedelta) -> Explanation:
    """Return what the reader would make of what lies there."""
    under_way = _under_way(found, name[-DIGEST:], mark)
    held, why = found.held or b"", _why(found, shelf, is_written=bool(under_way))
    frame, current = _FRAME.get(held[:1]), joined(found.shared) or b""
    start = 1 + VERSION * (frame or 0)
    is_filled = frame is not None and len(held) >= start + _SHAPE
    left = timedelta(milliseconds=found.left) if found.left >= 0 else None
    return Explanation(
        key=name.rpartition(b":")[2].hex(),
        is_hit=not why,
        why=why or "the cache answers",
        holds=_kind(found.held),
        marks=under_way,
        generation=current[2 * VERSION : 3 * VERSION].decode(errors="replace"),
        filled_under=held[1 + 2 * VERSION : 1 + 3 * VERSION].decode(errors="replace") if is_filled else "",
        shape=held[start : start + _SHAPE].decode(errors="replace") if is_filled else "",
        expected="" if shelf is None else shelf.shape.decode(),
        lives_for=left if is_filled else None,
        age=None if ttl is None or left is None or not is_filled else max(ttl - left, timedelta()),
        size=len(held),
    )


def _why(found: Found, shelf: Shelf[Any] | None, *, is_written: bool) -> str:
    """Return why the cache would not answer, or "" where it would."""
    epoch, held, current = found.shared[0], found.held, joined(found.shared)
    if not found.is_trusted:
        return "the server drops marks when its memory is full (allkeys-*): reads do not use it"
    if epoch is None:
        return "there is no epoch: the server was flushed, or no reader has come yet"
    if is_written:
        return "a write is under way, or its writer died"
    if found.held is None or held is None:
        is_waiting = epoch_ends(epoch) > found.now
        return "nobody fills in the time after a start or flush" if is_waiting else "nobody has read it yet, or it has ended"
    if current is None:
        return "the versions of its table are gone"
    return _why_not(held, current, shelf)


def _why_not(held: bytes, current: bytes, shelf: Shelf[Any] | None) -> str:
    kind = held[:1]
    if kind not in _FRAME:
        return "a reader is reading the database just now" if kind == b"L" else "something lies there that is not ours"
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
    return {b"V": "value", b"N": "no such row", b"L": "lease"}.get(held[:1], "something else")


def _under_way(found: Found, row: bytes, mark: timedelta) -> tuple[timedelta, ...]:
    """Return for how long each write still keeps readers from filling a row: those of its table that name it, and of all rows."""
    ends: list[timedelta] = []
    for place, marks in enumerate(found.marks):
        for raw in marks:
            is_met = not raw.startswith(b"-")
            rows = raw[_DEADLINE if is_met else 1 :]
            left = timedelta(milliseconds=int(raw[:_DEADLINE]) - found.now) if is_met else mark
            if left > timedelta() and (place + 1 < _DEPENDS_ON or row in rows):
                ends.append(left)
    return tuple(ends)


def _found(url: CacheUrl, names: Names, name: bytes, shared: tuple[bytes, ...]) -> Found:
    client = Client(url, home=names.epoch)
    try:
        held, *versions = client.call("MGET", name, *shared)
        marks = tuple(tuple(client.call("HVALS", marks_of(tag))) for tag in shared[1:])
        left, time = client.call("PTTL", name), client.call("TIME")
        assert client.server is not None  # noqa: S101 - it has answered
        now = int(time[0]) * 1000 + int(time[1]) // 1000
        return Found(held, tuple(versions), marks, left, now, client.server.keeps_marks)
    finally:
        client.close()
