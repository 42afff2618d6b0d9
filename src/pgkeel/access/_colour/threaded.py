"""Waiting, waking and working beside, with threads."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Generic, TypeVar

from pgkeel.core.clock import monotonic, sleep

__all__ = ["IS_ASYNC", "Bell", "Crew", "Gatherer", "Lock", "Waiter", "current", "name_of", "now", "pause", "wait_for"]

T = TypeVar("T")
Key = tuple[object, ...]

Lock = threading.Lock


class Waiter(Generic[T]):
    """One caller who waits for one thing, with a deadline. All but `wait` run under the pool's lock."""

    __slots__ = ("_error", "_event", "_is_gone", "_thing")

    def __init__(self) -> None:
        """Wait in this thread."""
        self._event = threading.Event()
        self._thing: T | None = None
        self._error: Exception | None = None
        self._is_gone = False

    def give(self, thing: T) -> bool:
        """Hand the thing over; False when the caller has gone."""
        if self._is_gone or self._event.is_set():
            return False
        self._thing = thing
        self._event.set()
        return True

    def fail(self, error: Exception) -> bool:
        """Let the caller raise; False when the caller has gone."""
        if self._is_gone or self._event.is_set():
            return False
        self._error = error
        self._event.set()
        return True

    def abandon(self) -> T | None:
        """Stop waiting and return the thing if it was given meanwhile: somebody has to put it back."""
        self._is_gone = True
        return self._thing

    def wait(self, seconds: float) -> T:
        """Return the thing.

        Raises:
            TimeoutError: It did not come in time.
        """
        if not self._event.wait(seconds):
            raise TimeoutError
        if self._error is not None:
            raise self._error
        assert self._thing is not None  # noqa: S101 - the event is set by give and fail alone
        return self._thing


class Bell:
    """Wakes the keeper of a pool before its time."""

    def __init__(self) -> None:
        """Be silent."""
        self._event = threading.Event()

    def ring(self) -> None:
        """Wake the keeper now, or let its next wait end at once."""
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Return when it rings, at the latest after so many seconds."""
        self._event.wait(seconds)
        self._event.clear()


class Crew:
    """Work done beside the callers, each piece in a daemon thread."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._threads: set[threading.Thread] = set()

    def start(self, work: Callable[[], None]) -> None:
        """Do the work in a thread of its own."""

        def run() -> None:
            try:
                work()
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name="pgkeel-pool", daemon=True)
        self._threads.add(thread)
        thread.start()

    def dismiss(self, seconds: float) -> None:
        """Wait until all work has ended, not longer than so many seconds; the pool has told it to stop."""
        deadline = monotonic() + seconds
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - monotonic()))


class Gatherer(Generic[T]):
    """Nothing to gather: each thread reads for itself."""

    __slots__ = ("busy",)
    gathers = False

    def __init__(self) -> None:
        """Start with nothing; it stays so."""
        self.busy = 0

    def read(self, key: Key, query: object, one: Callable[[Key], T | None], many: object) -> T | None:  # noqa: ARG002 - the other colour's signature
        """Return the row of a key."""
        return one(key)


def current() -> object:
    """Return who is running: the thread."""
    return threading.current_thread()


def name_of(who: object) -> str:
    """Return the name of a thread for an error."""
    return who.name if isinstance(who, threading.Thread) else "unknown"


def wait_for(result: T) -> T:
    """Return the result: a call has waited already."""
    return result


def pause(seconds: float) -> None:
    """Wait that long."""
    sleep(timedelta(seconds=seconds))


now = monotonic
IS_ASYNC = False
