"""Look around while the server works: who is in the way, and how far an index build has come."""

from collections.abc import Sequence

from pgkeel.core import clock
from pgkeel.core.telling import Report
from pgkeel.migrations.guard import Watcher
from pgkeel.postgres import Row

__all__ = ["Waiting"]

_PAUSE = 1.0


class Waiting:
    """Reports what a statement waits for, at first soon, then once a second; keeps what it saw last, through all tries.

    Attributes:
        pids: The sessions last seen in the way.
        blame: The same in words, ready to be put behind an error; "" where none was seen.
    """

    def __init__(self, watcher: Watcher, report: Report, title: str) -> None:
        """Watch for one unit."""
        self._watcher = watcher
        self._report = report
        self._title = title
        self._next = 0.0
        self._told = ""
        self.pids: list[int] = []
        self.blame = ""

    def begin(self) -> None:
        """Look soon: a new try begins."""
        self._next = 0.0

    def look(self) -> None:
        """Look, if the last look is long enough ago."""
        if clock.monotonic() < self._next:
            return
        blockers = self._watcher.blockers()
        if blockers:
            self.pids = [row["pid"] for row in blockers]
            self.blame = f"; in the way: {_described(blockers)}"
            self._tell(f"{self._title}: waiting for {_described(blockers)}", key=str(self.pids))
        elif self._next:  # a build that takes a second is worth a second question
            self._tell_progress()
        self._next = clock.monotonic() + (_PAUSE if not blockers else 0.05)

    def _tell_progress(self) -> None:
        row = self._watcher.index_progress()
        if row is not None:
            self._tell(f"{self._title}: {row['phase']}, {row['percent']} %", key=f"{row['phase']}{row['percent'] // 10}")

    def _tell(self, text: str, *, key: str) -> None:
        if key != self._told:
            self._report(text)
            self._told = key


def _described(blockers: Sequence[Row]) -> str:
    return "; ".join(
        f"pid {row['pid']} ({row['application'] or row['login']}, {row['state']} for {row['seconds']:.0f} s): {row['query']}"
        for row in blockers
    )
