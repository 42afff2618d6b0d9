"""Where a recovery ends: between two transactions that both are known, whatever words were used to ask for it.

PostgreSQL's own targets are traps: a time after the last commit is fatal, a clock that jumped ends recovery early, and what
`pg_create_restore_point()` returns is never reached. So every wish is turned into the place of a commit record.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from pgkeel.backup.lsn import format_lsn
from pgkeel.backup.recovery.errors import AmbiguousTarget, TargetNotFound
from pgkeel.backup.recovery.wal import Commit, Mark

__all__ = ["Cut", "after_all", "at_lsn", "at_mark", "at_time", "before_xid"]

_NEAR = timedelta(seconds=2)


class Cut(msgspec.Struct, frozen=True):
    """A place between two commits of one timeline.

    Attributes:
        timeline: The timeline.
        kept: The last transaction that is kept, or None where the WAL that was read begins later.
        left: The first one that is left out, or None at the end of the WAL.
        lost: How long before the last known commit the kept one lies.
        warnings: What a person should know before it is carried out.
    """

    timeline: int
    kept: Commit | None
    left: Commit | None
    lost: timedelta
    warnings: tuple[str, ...] = ()

    @property
    def time(self) -> datetime | None:
        """When the last transaction that is kept was committed."""
        return self.kept.time if self.kept else None

    def settings(self, consistent: int) -> dict[str, str]:
        """Return the settings with which PostgreSQL stops exactly here.

        Args:
            consistent: Where the backup ends; recovery cannot stop before it.
        """
        common = {"recovery_target_timeline": str(self.timeline), "recovery_target_action": "pause"}
        if self.kept is not None and self.kept.lsn >= consistent:
            return common | {"recovery_target_lsn": format_lsn(self.kept.lsn), "recovery_target_inclusive": "on"}
        if self.left is not None and self.left.lsn >= consistent:
            return common | {"recovery_target_lsn": format_lsn(self.left.lsn), "recovery_target_inclusive": "off"}
        return common | {"recovery_target": "immediate"}


def after_all(commits: Sequence[Commit], timeline: int) -> Cut:
    """Return the end of the WAL."""
    return _cut(commits, timeline, len(commits))


def at_time(commits: Sequence[Commit], timeline: int, at: datetime) -> Cut:
    """Return the place after the last transaction whose commit says that time or an earlier one.

    A clock that jumped forward and back hides nothing: what was committed after the jump, before `at`, is kept.
    """
    number = max((index for index, one in enumerate(commits, 1) if one.time <= at), default=0)
    ahead = [one for one in commits[:number] if one.time > at]
    warnings = [
        f"the clock jumped: xid {one.xid} says {_shown(one.time)} but was committed before later ones" for one in ahead[:3]
    ]
    left = commits[number] if number < len(commits) else None
    if left is not None and left.time - at <= _NEAR:
        late = (left.time - at) / timedelta(milliseconds=1)
        warnings.append(
            f"xid {left.xid} was committed {late:.3f} ms after that time and is left out; rows that it wrote may bear earlier "
            f"times: --to {format_lsn(left.lsn + 1)} keeps it"
        )
    return _cut(commits, timeline, number, tuple(warnings))


def at_lsn(commits: Sequence[Commit], timeline: int, at: int) -> Cut:
    """Return the place after the last transaction whose commit record begins before a byte position.

    What `pg_current_wal_lsn()` and `pg_create_restore_point()` return lies after the records that they speak of.
    """
    return _cut(commits, timeline, sum(one.lsn < at for one in commits))


def at_mark(commits: Sequence[Commit], timeline: int, marks: Sequence[Mark], name: str) -> Cut:
    """Return the place of a named restore point.

    Raises:
        TargetNotFound: There is none of that name; near ones are named.
        AmbiguousTarget: There are several.
    """
    found = [mark for mark in marks if mark.name == name]
    if not found:
        known = ", ".join(mark.name for mark in marks[-5:])
        forms = "times are 2026-01-31T12:00 (UTC) or '5 minutes ago', LSNs 0/3000028"
        raise TargetNotFound(f"there is no restore point {name!r}", hint=f"the newest: {known}; {forms}" if known else forms)
    if len(found) > 1:
        places = [format_lsn(mark.lsn) for mark in found]
        raise AmbiguousTarget(
            f"{len(found)} restore points are called {name!r}",
            hint=f"--to {places[-1]} takes the last",
            data={"candidates": places},
        )
    return at_lsn(commits, timeline, found[0].lsn)


def before_xid(commits: Sequence[Commit], timeline: int, xid: int) -> Cut:
    """Return the place before a transaction; the number of a subtransaction means the one around it.

    Raises:
        TargetNotFound: It was not committed in the WAL that is here.
    """
    number = next((index for index, one in enumerate(commits) if xid == one.xid or xid in one.parts), None)
    if number is None:
        span = f"{_shown(commits[0].time)} to {_shown(commits[-1].time)}" if commits else "nothing"
        raise TargetNotFound(f"transaction {xid} was not committed in the WAL that is here", hint=f"it holds {span}")
    return _cut(commits, timeline, number)


def _cut(commits: Sequence[Commit], timeline: int, number: int, warnings: tuple[str, ...] = ()) -> Cut:
    """Return the place after the first `number` commits."""
    kept = commits[number - 1] if number else None
    left = commits[number] if number < len(commits) else None
    start = kept or left
    lost = max((one.time for one in commits[number:]), default=start.time) - start.time if start else timedelta(0)
    return Cut(timeline, kept, left, max(lost, timedelta(0)), warnings)


def _shown(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%fZ")
