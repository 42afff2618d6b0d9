"""What a closed WAL segment holds, read with pg_waldump, which checks the CRC of every record on the way."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from pgkeel.backup.errors import Damaged
from pgkeel.backup.pages import holds_no_whole_record
from pgkeel.backup.tools import ToolFailed, Tools, tool
from pgkeel.backup.wal_index import RestorePoint

__all__ = ["Contents", "contents_of"]

_COMMIT = re.compile(
    r"^rmgr: Transaction .*? tx: +(\d+), lsn: ([0-9A-F]+/[0-9A-F]+), .*?desc: COMMIT(?:_PREPARED)? (?:.*?)"
    r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+) UTC",
    re.MULTILINE,
)
_POINT = re.compile(r"^rmgr: XLOG .*? lsn: ([0-9A-F]+/[0-9A-F]+), .*?desc: RESTORE_POINT (.*)$", re.MULTILINE)


class Commit(msgspec.Struct, frozen=True):
    """One commit record.

    Attributes:
        xid: Its transaction.
        lsn: Where the record begins.
        at: Its time, which the clock said; it may go back.
    """

    xid: int
    lsn: str
    at: datetime


class Contents(msgspec.Struct, frozen=True):
    """What a segment holds.

    Attributes:
        commits: In the order of the WAL.
        restore_points: In the order of the WAL.
    """

    commits: tuple[Commit, ...]
    restore_points: tuple[RestorePoint, ...]

    @property
    def times(self) -> Sequence[datetime]:
        """The times of the commits, in the order of the WAL."""
        return [commit.at for commit in self.commits]

    @property
    def is_monotonic(self) -> bool:
        """Whether the times never go back."""
        return self.times == sorted(self.times)


def contents_of(segment: Path, tools: Tools) -> Contents:
    """Return what a segment holds.

    Args:
        segment: A closed segment under its own name.
        tools: Of the server's major: another one does not read its WAL.

    Raises:
        Damaged: A record's CRC is wrong, or it is no segment of this major.
    """
    try:
        text = tool(tools, "pg_waldump", "--rmgr=Transaction", "--rmgr=XLOG", segment)
    except ToolFailed as err:
        if holds_no_whole_record(segment):
            return Contents((), ())
        raise Damaged(
            f"WAL segment {segment.name}: {err.message}",
            hint="it is left where it lies; a full backup makes a new beginning",
            data={"object": segment.name, "reason": "a record is damaged"},
        ) from err
    return Contents(tuple(_commits(text)), tuple(RestorePoint(name, lsn) for lsn, name in _POINT.findall(text)))


def _commits(text: str) -> Iterator[Commit]:
    for xid, lsn, at in _COMMIT.findall(text):
        yield Commit(int(xid), lsn, datetime.fromisoformat(at).replace(tzinfo=UTC))
