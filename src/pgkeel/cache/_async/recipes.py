"""What one uses Redis for besides caching, each in a few lines on the cache's connection: safe where many do it at once.

All of it is lost when the server loses its memory: limits start anew, sessions and leaderboards are gone, a lock may be given
twice. What must survive belongs into PostgreSQL; what must not happen twice checks the lock's token there.
"""

import math
import secrets
from datetime import timedelta
from types import TracebackType
from typing import Generic, TypeVar

from pgkeel.cache._async.cache import Cache
from pgkeel.cache._colour.asynchronous import nap
from pgkeel.cache.codec import Codec
from pgkeel.cache.entry import fresh
from pgkeel.cache.errors import LockHeld
from pgkeel.cache.life import milliseconds
from pgkeel.core.clock import monotonic
from pgkeel.core.errors import UsageError
from pgkeel.core.limits import Rate

__all__ = ["Counter", "Leaderboard", "Limiter", "Lock", "Once", "Sessions"]

T = TypeVar("T")
_PAUSE = 0.02
_MOST = 1 << 63


class Limiter:
    """Counts attempts by key for all processes: `pgkeel.core.limits.Limiter`, or its async form."""

    def __init__(self, cache: Cache, name: str = "limit") -> None:
        """Count under a name."""
        self._client = cache.client
        self._name = cache.names.things("limit", name)

    async def take(self, key: str, rate: Rate) -> timedelta | None:
        """Count one attempt and return None, or count none and return how long to wait."""
        whole = rate.per / timedelta(microseconds=1)
        step, per = math.ceil(whole / rate.most), math.ceil(whole)
        wait = await self._client.run("limit", [self._name(key)], step, per)
        return timedelta(microseconds=wait) if wait else None


class Counter:
    """Counts that end by themselves: page views of an hour."""

    def __init__(self, cache: Cache, name: str, *, keep: timedelta | str = "1d") -> None:
        """Keep each count for so long after its first."""
        self._client = cache.client
        self._name = cache.names.things("count", name)
        self._keep = milliseconds(keep)

    async def add(self, key: object, by: int = 1) -> int:
        """Add, and return the count.

        Raises:
            UsageError: It is no whole number of 64 bits.
        """
        if not isinstance(by, int) or not -_MOST < by < _MOST:
            raise UsageError("a count grows by a whole number", hint="one of 64 bits; a Leaderboard adds fractions")
        return int(await self._client.run("count", [self._name(key)], by, self._keep))

    async def value(self, key: object) -> int:
        """Return the count."""
        return int(await self._client.call("GET", self._name(key)) or 0)


class Leaderboard:
    """The best of many."""

    def __init__(self, cache: Cache, name: str) -> None:
        """Keep scores under a name."""
        self._client = cache.client
        self._key = cache.names.things("board", name)("")

    async def add(self, member: str, points: float) -> float:
        """Add to a member's score, and return it.

        Raises:
            UsageError: The points are no number.
        """
        if not math.isfinite(points):
            raise UsageError(f"{points} are no points", hint="a number that has an end")
        return float(await self._client.call("ZINCRBY", self._key, str(points), member))

    async def top(self, most: int = 10) -> list[tuple[str, float]]:
        """Return the best members with their scores, best first."""
        found = await self._client.call("ZRANGE", self._key, 0, most - 1, "REV", "WITHSCORES")
        return [(member.decode(), float(score)) for member, score in found]

    async def rank(self, member: str) -> int | None:
        """Return a member's place, 1 for the best, or None where it has no score."""
        place = await self._client.call("ZREVRANK", self._key, member)
        return None if place is None else place + 1

    async def remove(self, member: str) -> None:
        """Forget a member."""
        await self._client.call("ZREM", self._key, member)


class Sessions(Generic[T]):
    """Values of one type under tokens that nobody can guess; each use makes them live longer."""

    def __init__(self, cache: Cache, kind: type[T], *, idle: timedelta | str = "30m") -> None:
        """Keep each for so long after its last use.

        Raises:
            UsageError: Values of this type do not survive.
        """
        self._client = cache.client
        self._name = cache.names.things("session", kind.__qualname__)
        self._codec = Codec(kind)
        self._idle = milliseconds(idle)

    async def start(self, value: T) -> str:
        """Keep a value and return its token; the server knows only its hash.

        Raises:
            UsageError: The value would not come back as it is.
        """
        token = secrets.token_urlsafe(32)
        encoded = self._codec.encode(value)
        if encoded is None:
            raise UsageError("this value does not survive a cache", hint="no NaN, and no types that JSON does not know")
        await self._client.call("SET", self._name(token), self._codec.shape + encoded, "PX", self._idle)
        return token

    async def read(self, token: str) -> T | None:
        """Return the value of a token, which lives on, or None."""
        held = await self._client.call("GETEX", self._name(token), "PX", self._idle)
        shape = self._codec.shape
        if held is None or not held.startswith(shape):
            return None
        try:
            return self._codec.decode(memoryview(held)[len(shape) :])
        except ValueError:
            return None

    async def end(self, token: str) -> None:
        """Forget a token."""
        await self._client.call("DEL", self._name(token))


class Lock:
    """One holder at a time: `async with Lock(cache, "report", ttl="30s") as token: …`.

    A holder that is slower than `ttl` loses it without noticing. Hand the token to whatever is written, and refuse there one
    that is smaller than the last: `UPDATE … SET token = %(token)s WHERE token < %(token)s`.
    """

    def __init__(self, cache: Cache, name: str, *, ttl: timedelta | str = "30s", wait: timedelta | str = "10s") -> None:
        """Hold for `ttl` at most; wait for others for `wait` at most."""
        self._client = cache.client
        self._key = cache.names.things("lock", name)("")
        self._last = cache.names.things("token", name)("")
        self._label = name
        self._ttl, self._wait = milliseconds(ttl), milliseconds(wait) / 1000
        self._who = fresh()

    async def take(self) -> int | None:
        """Take it and return a token that grows with every holder, or None when somebody else holds it."""
        return int(await self._client.run("lock", [self._key, self._last], self._who, self._ttl)) or None

    async def extend(self) -> bool:
        """Hold it for `ttl` from now; False when it was lost."""
        return bool(await self._client.run("extend", [self._key], self._who, self._ttl))

    async def release(self) -> bool:
        """Let go; False when it was lost before."""
        return await self._client.delete_if_equal(self._key, self._who)

    async def __aenter__(self) -> int:
        """Take it.

        Raises:
            LockHeld: Somebody else held it all the time.
        """
        end = monotonic() + self._wait
        while True:
            token = await self.take()
            if token is not None:
                return token
            if monotonic() >= end:
                raise LockHeld(f"the lock {self._label} is held by somebody else", hint="try again, or wait for longer")
            await nap(_PAUSE)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Let go."""
        await self.release()


class Once:
    """Who comes first does it: jobs that are delivered twice."""

    def __init__(self, cache: Cache, name: str, *, keep: timedelta | str = "1d") -> None:
        """Remember each job for so long."""
        self._client = cache.client
        self._name = cache.names.things("once", name)
        self._keep = milliseconds(keep)

    async def claim(self, job: object) -> bool:
        """Return True to the first who asks, False to all others."""
        return await self._client.call("SET", self._name(job), b"", "NX", "PX", self._keep) is not None

    async def forget(self, job: object) -> None:
        """Let it be done again: it failed."""
        await self._client.call("DEL", self._name(job))
