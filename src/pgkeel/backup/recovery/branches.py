"""Whether another timeline went on after the one that is looked at: its commits must not be left out without a word."""

from collections.abc import Sequence
from datetime import datetime

from pgkeel.backup.lsn import timeline_of
from pgkeel.backup.records import Record
from pgkeel.backup.recovery.errors import NotRestorable
from pgkeel.backup.recovery.gather import Archive

__all__ = ["require_newest"]


def require_newest(bases: Sequence[Record], last: datetime | None, records: Sequence[Record], archive: Archive) -> None:
    """Return unless WAL of another timeline is newer than all that is known of that of some backups.

    That is so after a standby was promoted, until the first backup of it, and after a recovery was undone.

    Args:
        bases: Backups of the timeline that is looked at.
        last: When its last known transaction was committed.
        records: All backups of the cluster.
        archive: Where its WAL is.

    Raises:
        NotRestorable: Another one is newer.
    """
    ours, times = bases[0].timeline, _times(archive, bases[0].timeline)
    known = max(
        [one.finished_at for one in bases] + [at for at, timeline in times if timeline == ours] + ([last] if last else [])
    )
    at, other = max(times, default=(known, ours))
    if other == ours or at <= known:
        return
    has_backup = any(one.timeline == other and one.kind != "wal" for one in records)
    told = "" if has_backup else " and has no backup yet"
    way = f"--timeline {other} recovers that one" if has_backup else "`pgkeel backup full` takes one while its server lives"
    raise NotRestorable(
        f"timeline {other} went on until {at:%Y-%m-%d %H:%M:%SZ}{told}; the newest backup is of timeline {ours}",
        hint=f"{way}; --timeline {ours} recovers what is known of the other, until {known:%Y-%m-%d %H:%M:%SZ}",
    )


def _times(archive: Archive, ours: int) -> list[tuple[datetime, int]]:
    """Return when something of a timeline is known to have been; what is left of earlier ones may have been shipped late."""
    segments = [(one.latest_commit_at, one.timeline) for one in archive.segments if one.latest_commit_at is not None]
    pieces = ((one.shipped_at, timeline_of(one.segment)) for one in archive.pieces)
    return segments + [one for one in pieces if one[1] >= ours]
