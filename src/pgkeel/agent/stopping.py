"""Whether somebody has asked for the end, in a form that a signal handler may use."""

import queue
from contextlib import suppress

__all__ = ["Stopping"]


class Stopping:
    """What an event of `threading` is, without its lock: a handler that sets one waits for the thread it has stopped, for ever.

    One thread waits.
    """

    def __init__(self) -> None:
        """Begin unset."""
        self._is_set = False
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """Ask for the end."""
        self._is_set = True
        self._wake.put(None)

    def is_set(self) -> bool:
        """Return whether somebody has asked."""
        return self._is_set

    def wait(self, seconds: float) -> None:
        """Return when somebody has asked, or after so many seconds."""
        if not self._is_set:
            with suppress(queue.Empty):
                self._wake.get(timeout=seconds)
