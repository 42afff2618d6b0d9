"""Notice while a batch holds its rows that somebody waits for it."""

import threading
from datetime import timedelta
from types import TracebackType
from typing import Self

import psycopg

from pgkeel.migrations.guard import Watcher
from pgkeel.postgres import load

__all__ = ["WaitWatch"]

_EVERY = 0.02


class WaitWatch:
    """Looks every 20 ms, from a thread and a session of its own; where no second session can be had it sees nothing."""

    def __init__(self, watcher: Watcher) -> None:
        """Look at what waits for the watcher's session."""
        self._watcher = watcher
        self._longest = 0.0
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def reset(self) -> None:
        """Forget what was seen so far."""
        self._longest = 0.0

    @property
    def longest(self) -> timedelta:
        """How long the session had waited that was seen waiting longest."""
        return timedelta(seconds=self._longest)

    def _look(self) -> None:
        connection = self._watcher.second_session()
        while connection is not None and not self._end.wait(_EVERY):
            try:
                seconds = load(__name__, "writers_waiting").scalar(connection, pid=self._watcher.pid)
            except psycopg.Error:
                return
            self._longest = max(self._longest, seconds or 0.0)
