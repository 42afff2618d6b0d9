"""What the WAL since a point says of deleted rows, told to what puts rows back: it writes over no key that lives again."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import msgspec

from pgkeel.backup.lsn import format_lsn, parse_lsn
from pgkeel.backup.recovery.deletions import deleted_rows, later, was_emptied
from pgkeel.backup.recovery.gather import gather
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.backup.recovery.wal import Commit, Wal
from pgkeel.backup.rows import Gone, Storage
from pgkeel.core import clock
from pgkeel.core.errors import KeelError
from pgkeel.postgres import Connection, load
from pgkeel.stack.folders import explained
from pgkeel.stack.restoring import Scene

__all__ = ["DeletionsSince"]

_OPEN = 2  # segments: the one that was written to while WAL was gathered, and one that was closed meanwhile
_PATIENCE, _STEP = 5, timedelta(seconds=1)  # looks at what a receiver gets of a server elsewhere


class _Since(msgspec.Struct, frozen=True):
    """The WAL from a plan's backup to now.

    Attributes:
        wal: It.
        late: Who committed behind the point.
        fault: Why it does not lead to now, or "".
    """

    wal: Wal
    late: dict[int, Commit]
    fault: str


class DeletionsSince:
    """Knows which rows were deleted between a plan's point and its first question; the WAL is read then."""

    def __init__(self, scene: Scene, plan: Plan, place: Path, live: Connection) -> None:
        """Nothing is read yet.

        Args:
            scene: Where WAL is.
            plan: What was restored.
            place: The folder with its WAL, of which nobody needs anything any more.
            live: To the database; its WAL is marked.
        """
        self._scene, self._plan, self._place, self._live = scene, plan, place, live

    def __call__(self, storages: Sequence[Storage]) -> Gone:
        """Return what is known of deletions in some tables and partitions."""
        since = self._since
        if since.fault:
            return Gone(warnings=(f"whose key lives again could not be told: {since.fault}",))
        tools = self._scene.tools
        rows = deleted_rows(since.wal, tools, [one.then for one in storages], since.late)
        moved = [one for one in storages if one.now != one.then]
        emptied = [one for one in moved if one.now is None or was_emptied(since.wal, tools, one.then, one.now, since.late)]
        return Gone(
            [(one.relation, *place) for one in storages for place in sorted(rows[one.then])],
            [one.relation for one in emptied],
            tuple(dict.fromkeys(_rewritten(one.name) for one in moved if one not in emptied)),
        )

    @cached_property
    def _since(self) -> _Since:
        row = load(__name__, "mark_wal").row(self._live) or {}
        mark, timeline, start = parse_lsn(row["lsn"]), int(row["timeline"]), parse_lsn(self._plan.start)
        wal = Wal(self._place, self._plan.target.timeline, start)
        if timeline != wal.timeline:
            return _Since(wal, {}, f"the point lies on timeline {wal.timeline}, and the database is on {timeline}")
        if self._scene.engine is not None and load(__name__, "may_close_segment").scalar(self._live):  # it keeps closed ones
            load(__name__, "close_segment").run(self._live)
        commits = self._commits(wal, mark)
        target = self._plan.target
        late = later(commits, parse_lsn(target.lsn), is_kept=target.time is not None)
        known = format_lsn(commits[-1].lsn if commits else start)
        reaches = _reaches(commits, mark)
        return _Since(wal, late, "" if reaches else f"the WAL is not known from {known} on (a gap, damage, or not yet received)")

    def _commits(self, wal: Wal, mark: int) -> tuple[Commit, ...]:
        """Return who committed, up to the mark where the WAL leads there; a receiver far from the server gets a moment."""
        commits = self._gathered(wal)
        for _ in range(_PATIENCE if self._scene.project.is_external else 0):
            if _reaches(commits, mark):
                break
            clock.sleep(_STEP)
            commits = self._gathered(wal)
        return commits

    def _gathered(self, wal: Wal) -> tuple[Commit, ...]:
        """Bring the WAL up to now; what was still written to when it was brought before is brought again."""
        for name in wal.segments(self._plan.segment_bytes)[-_OPEN:]:
            (wal.folder / name).unlink()
        with suppress(KeelError), explained(wal.folder):  # what does not come now is as what is nowhere
            gather(self._scene.archive, wal.timeline, wal.start, None, wal.folder, hear=lambda _: None)
        return tuple(wal.commits(self._scene.tools))


def _reaches(commits: Sequence[Commit], mark: int) -> bool:
    return bool(commits) and commits[-1].lsn >= mark


def _rewritten(name: str) -> str:
    return f"{name} has other files now than then (VACUUM FULL, ALTER TABLE): whose key lives again since could not be told"
