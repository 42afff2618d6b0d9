"""A WAL slice counts when the archive has all of it: everything from the full backup to the restore point that seals it."""

from collections.abc import Callable
from datetime import timedelta

from pgkeel.backup.lsn import format_lsn, parse_lsn
from pgkeel.backup.records import Record
from pgkeel.backup.wal_index import WalIndex, read_index
from pgkeel.core.errors import KeelError
from pgkeel.core.repository import Repository

__all__ = ["NotArchived", "await_archived"]

_LOOKS, _PAUSE = 240, timedelta(milliseconds=500)


class NotArchived(KeelError):
    """The WAL that seals a backup did not reach the repository."""

    code = "not_archived"


def await_archived(repository: Repository, parent: Record, point: str, wait: Callable[[timedelta], None]) -> None:
    """Return when the repository has the WAL from a full backup to a restore point in closed segments.

    Raises:
        NotArchived: It did not get it.
    """
    index = WalIndex()
    for _ in range(_LOOKS):
        index = read_index(repository, parent.system_identifier, known=index.segments)
        span = index.span_from(parent.timeline, parent.end_lsn)
        if span is not None and span.segments and parse_lsn(span.segments[-1].end_lsn) >= parse_lsn(point):
            return
        wait(_PAUSE)
    have = format_lsn(span.end) if span is not None else "nothing"
    raise NotArchived(
        f"the WAL up to {point} did not reach the repository {repository.name}, which has {have}",
        hint="`pgkeel agent status` shows whether the receiver runs",
    )
