"""What tasks of one event loop do together: ask, and announce."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from pgkeel.cache.entry import joined
from pgkeel.cache.wire import ReplyError, packed
from pgkeel.core.errors import Unreachable

__all__ = ["Batch", "Crowd"]

_MANY = 4
_GATHER = 0.001


class Batch:
    """Values that tasks look for in one turn of the loop and that depend on the same keys: one MGET for all."""

    __slots__ = ("current", "keys", "near", "shared", "waiting")

    def __init__(self, shared: Sequence[bytes], near: float) -> None:
        """Look for nothing yet."""
        self.shared = shared
        self.near = near
        self.keys: list[bytes] = []
        self.waiting: list[asyncio.Future[Any]] = []
        self.current: bytes | None = None

    @property
    def command(self) -> bytes:
        """The command."""
        return packed(("MGET", *self.keys, *self.shared))

    def land(self, reply: Any) -> None:  # noqa: ANN401 - any reply
        """Hand each task what it looked for."""
        if type(reply) is ReplyError:
            reply = [reply] * len(self.keys)
        else:
            self.current = joined(reply[len(self.keys) :])
        for future, held in zip(self.waiting, reply, strict=False):
            if not future.done():
                future.set_result(held)

    def crash(self, failure: Unreachable) -> None:
        """Tell each task that there is no answer."""
        for future in self.waiting:
            if not future.done():
                future.set_exception(Unreachable(failure.message, hint=failure.hint))


class Crowd:
    """Writers of this process: when many follow each other closely, their announcements leave together, 1 ms later at most."""

    __slots__ = ("_last", "_waiting")

    def __init__(self) -> None:
        """Start empty."""
        self._last: deque[float] = deque([0.0], maxlen=_MANY)
        self._waiting: list[asyncio.Future[None]] = []

    async def gather(self) -> None:
        """Wait for others, where there are enough of them."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        is_crowded = self._last[0] > now - _MANY * _GATHER
        self._last.append(now)
        if not is_crowded:
            return
        if not self._waiting:
            loop.call_later(_GATHER, self._release)
        future = loop.create_future()
        self._waiting.append(future)
        await future

    def _release(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting = []
