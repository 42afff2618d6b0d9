"""A read that tasks share."""

import asyncio
from typing import Generic, TypeVar

__all__ = ["Flight"]

T = TypeVar("T")


class Flight(Generic[T]):
    """A read that several callers may share."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        """Start it."""
        self._future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def land(self, found: T) -> None:
        """Give the result to whoever joined."""
        self._future.set_result(found)

    def crash(self) -> None:
        """Let whoever joined read for themselves; nothing happens after it landed."""
        self._future.cancel()

    async def join(self, seconds: float) -> T:
        """Return the result.

        Raises:
            TimeoutError: It did not land in time, or crashed.
        """
        done, _ = await asyncio.wait((self._future,), timeout=seconds)
        if not done or self._future.cancelled():
            raise TimeoutError
        return self._future.result()
