"""Reads by key that are asked for together become one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any, Generic, TypeVar

from pgkeel.access.compiled import Compiled
from pgkeel.access.counting import Shared, uncounted
from pgkeel.access.errors import InvalidValue

__all__ = ["Gatherer"]

T = TypeVar("T")
Key = tuple[object, ...]
One = Callable[[Key], Awaitable[T | None]]
Many = Callable[[list[Key]], Coroutine[Any, Any, Mapping[Key, T]]]
Waiting = dict[Key, list[asyncio.Future[T | None]]]
_MOST = 100


class Gatherer(Generic[T]):
    """While a row is being read, the rows that are asked for in the same tick of the loop are read by one statement.

    A caller that is alone waits for nobody: gathering costs time then, and saves it as soon as two read at once.

    Attributes:
        busy: How many statements are on their way.
    """

    gathers = True
    __slots__ = ("_shared", "_tasks", "_waiting", "busy")

    def __init__(self) -> None:
        """Start with nobody."""
        self.busy = 0
        self._waiting: Waiting[T] = {}
        self._shared = Shared()
        self._tasks: set[asyncio.Task[None]] = set()

    async def read(self, key: Key, query: Compiled[T], one: One[T], many: Many[T]) -> T | None:
        """Return the row of a key.

        Args:
            key: The key.
            query: As what a read counts that is gathered: the statement of a caller who is alone.
            one: Reads one row.
            many: Reads rows by their keys in one statement.
        """
        if self.busy:
            return await self._join(key, query, many)
        self.busy += 1
        try:
            return await one(key)
        finally:
            self.busy -= 1

    def _join(self, key: Key, query: Compiled[T], many: Many[T]) -> asyncio.Future[T | None]:
        self._shared.asked(query.sql, query.doing)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T | None] = loop.create_future()
        waiting = self._waiting
        if not waiting:
            loop.call_soon(self._start, waiting, many)
        waiting.setdefault(key, []).append(future)
        if len(waiting) >= _MOST:
            self._start(waiting, many)
        return future

    def _start(self, waiting: Waiting[T], many: Many[T]) -> None:
        """Read for those who wait, unless they were so many that it has been begun."""
        if waiting is not self._waiting:
            return
        self._waiting, self._shared = {}, Shared()
        self.busy += 1
        task = asyncio.get_running_loop().create_task(self._answer(waiting, many))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, waiting: Waiting[T], many: Many[T]) -> None:
        """Give everyone the row; a key that the server refuses must not fail the others: then each is read alone."""
        uncounted()
        try:
            if not await _settle(waiting, many):
                for key, futures in waiting.items():
                    await _settle({key: futures}, many)
        finally:
            self.busy -= 1


async def _settle(waiting: Waiting[T], many: Many[T]) -> bool:
    """Read rows and hand them out; False when one of several keys is refused."""
    try:
        found = await many(list(waiting))
    except asyncio.CancelledError:
        for future, _ in _undecided(waiting):
            future.cancel()
        raise
    except Exception as err:  # noqa: BLE001 - it belongs to those who wait
        if isinstance(err, InvalidValue) and len(waiting) > 1:
            return False
        for future, _ in _undecided(waiting):
            future.set_exception(err)
    else:
        for future, key in _undecided(waiting):
            future.set_result(found.get(key))
    return True


def _undecided(waiting: Waiting[T]) -> Iterator[tuple[asyncio.Future[T | None], Key]]:
    """Yield who still waits, with the key: some may have been cancelled."""
    for key, futures in waiting.items():
        yield from ((future, key) for future in futures if not future.done())
