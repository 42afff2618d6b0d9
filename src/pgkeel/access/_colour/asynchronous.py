"""Waiting, waking and working beside, with tasks of one event loop."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

from sqlalchemy.util import await_only as wait_for

from pgkeel.access._colour.gathering import Gatherer
from pgkeel.core.clock import monotonic

__all__ = ["IS_ASYNC", "Bell", "Crew", "Gatherer", "Lock", "Waiter", "current", "name_of", "now", "pause", "wait_for"]

T = TypeVar("T")


Lock = threading.Lock
"""Always free: between two awaits a task is alone. One in C costs less than a class of ours that does nothing."""


class Waiter(Generic[T]):
    """One caller who waits for one thing, with a deadline."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        """Wait in the running loop."""
        self._future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def give(self, thing: T) -> bool:
        """Hand the thing over; False when the caller has gone."""
        if self._future.done():
            return False
        self._future.set_result(thing)
        return True

    def fail(self, error: Exception) -> bool:
        """Let the caller raise; False when the caller has gone."""
        if self._future.done():
            return False
        self._future.set_exception(error)
        return True

    def abandon(self) -> T | None:
        """Stop waiting and return the thing if it was given meanwhile: somebody has to put it back."""
        future = self._future
        if future.cancel() or future.cancelled():
            return None
        return None if future.exception() else future.result()

    async def wait(self, seconds: float) -> T:
        """Return the thing.

        Raises:
            TimeoutError: It did not come in time.
        """
        alarm = asyncio.get_running_loop().call_later(seconds, self.fail, TimeoutError())
        try:
            return await self._future
        finally:
            alarm.cancel()


class Bell:
    """Wakes the keeper of a pool before its time."""

    def __init__(self) -> None:
        """Be silent."""
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake the keeper now, or let its next wait end at once."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Return when it rings, at the latest after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        self._event.clear()


class Crew:
    """Work done beside the callers; nothing of it outlives the pool."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Callable[[], Coroutine[object, object, None]]) -> None:
        """Do the work in a task of its own."""
        task = asyncio.get_running_loop().create_task(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def dismiss(self, seconds: float) -> None:
        """Cancel what still runs and wait until it has ended, not longer than so many seconds."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)


def name_of(who: object) -> str:
    """Return the name of a task for an error."""
    return who.get_name() if isinstance(who, asyncio.Task) else "a callback"


current = asyncio.current_task
"""Return who is running: the task."""

now = monotonic
pause = asyncio.sleep
IS_ASYNC = True
