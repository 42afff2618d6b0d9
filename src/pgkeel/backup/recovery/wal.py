"""What the WAL tells about transactions, read with `pg_waldump` from a folder of plain segments of one timeline."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from pgkeel.backup.lsn import SEGMENT_BYTES, format_lsn, next_segment, parse_lsn, segment_end, segment_name, segment_start
from pgkeel.backup.recovery.errors import TablespaceMade, WalDamaged, WalMissing
from pgkeel.backup.recovery.programs import outcome, streamed
from pgkeel.backup.tools import Tools

__all__ = ["MOVED", "Change", "Commit", "Mark", "Wal", "file_of", "require_whole"]

_RECORD = re.compile(r"rmgr: \w+\s.*?, tx:\s+(\d+), lsn: ([0-9A-F]+/[0-9A-F]+), prev \S+, desc: (\w+) ?(.*)")
_COMMIT = re.compile(r"(?:(\d+): )?(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC(.*)")
_LIST = re.compile(r"; (rels|subxacts|dropped stats): ([^;]*)")
_NEW_TABLESPACE = re.compile(r'lsn: ([0-9A-F]+/[0-9A-F]+), .*desc: CREATE \d+ "?(.*?)"?$', re.MULTILINE)
_FLAGS, _RELATION = re.compile(r"flags:? 0x([0-9A-F]+)"), re.compile(r"blkref #0: rel (\S+) ")
_FEW = 8  # more files are looked for in one reading of all that happened to rows
_STATISTICS_OF_RELATION = "2/"
_HEAD = 24  # bytes of a record's head
_LONG = 40  # bytes of the head of a segment's first page

MOVED = 0x10  # XLH_DELETE_IS_PARTITION_MOVE (heapam_xlog.h): an update moved the row to another partition
Change = Literal["DELETE", "UPDATE"]
_WRITES = {"INSERT", "DELETE", "UPDATE", "HOT_UPDATE", "MULTI_INSERT", "TRUNCATE"}
_KINDS: dict[str, Change] = {"DELETE": "DELETE", "UPDATE": "UPDATE", "HOT_UPDATE": "UPDATE"}


class Commit(msgspec.Struct, frozen=True):
    """A transaction that was committed.

    Attributes:
        xid: Its number.
        lsn: Where its commit record begins.
        time: When it was committed, by the server's clock.
        parts: Numbers of its subtransactions.
        files: Files of tables and indexes that it removed, as `1663/5/16384`.
        dropped: `database/oid` of the tables and indexes that it dropped.
    """

    xid: int
    lsn: int
    time: datetime
    parts: tuple[int, ...] = ()
    files: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


class Mark(msgspec.Struct, frozen=True):
    """A named restore point.

    Attributes:
        name: Its name.
        lsn: Where its record begins.
    """

    name: str
    lsn: int


class Wal(msgspec.Struct, frozen=True):
    """A stretch of one timeline.

    Attributes:
        folder: Where its segments lie, each under its own name; the last one may be filled in part.
        timeline: Whose they are.
        start: Byte position of the first record that is read.
    """

    folder: Path
    timeline: int
    start: int

    def segments(self, size: int) -> list[str]:
        """Return the names of the timeline's segments from the start on that are here, in order."""
        first = segment_name(self.timeline, self.start, size=size)
        names = (path.name for path in self.folder.glob(f"{self.timeline:08X}" + "[0-9A-F]" * 16))
        return sorted(name for name in names if name >= first)

    def commits(self, tools: Tools) -> Iterator[Commit]:
        """Yield the committed transactions in the order in which they were committed."""
        for xid, lsn, word, rest in self.records(tools, ["--rmgr=Transaction"]):
            if word in {"COMMIT", "COMMIT_PREPARED"}:
                found = _commit(xid, lsn, rest)
                if found is not None:
                    yield found

    def marks(self, tools: Tools) -> Iterator[Mark]:
        """Yield the named restore points."""
        for _, lsn, word, rest in self.records(tools, ["--rmgr=XLOG"]):
            if word == "RESTORE_POINT":
                yield Mark(rest.strip(), lsn)

    def changes(self, tools: Tools, files: Collection[str], kind: Change) -> Counter[int]:
        """Return how many rows of some tables each transaction or subtransaction changed, by its number.

        Args:
            tools: Those of the server's major.
            files: Files of the tables, as `1663/5/16384`.
            kind: What was done to the rows.
        """
        found: Counter[int] = Counter()
        selections = [[f"--relation={file}"] for file in files] if len(files) <= _FEW else [[]]
        for selection in selections:
            records = self.records(tools, ["--rmgr=Heap", *selection])
            found.update(xid for xid, _, word, rest in records if _kind(word, rest) == kind and _file(rest) in files)
        return found

    def is_written(self, tools: Tools, file: str, *, until: int) -> bool:
        """Return whether a row of a table is written up to a position; what a vacuum does leaves rows as they are.

        Args:
            tools: Those of the server's major.
            file: The table's file, as `1663/5/16384`.
            until: Byte position.
        """
        records = self.records(tools, ["--rmgr=Heap", "--rmgr=Heap2", f"--relation={file}"])
        return any(lsn <= until and word.partition("+")[0] in _WRITES for _, lsn, word, _ in records)

    def records(self, tools: Tools, options: Sequence[str]) -> Iterator[tuple[int, int, str, str]]:
        """Yield the records that options of `pg_waldump` select: transaction, where it begins, first word, and the rest.

        How far it reads is not told: a record that is damaged is the end.
        """
        end = self._end()
        if end <= self.start:
            return
        place = [f"--path={self.folder}", f"--timeline={self.timeline}", f"--start={format_lsn(self.start)}"]
        with streamed(tools, "pg_waldump", [*place, f"--end={format_lsn(end)}", *options]) as lines:
            for line in lines:
                match = _RECORD.match(line)
                if match is not None:
                    yield int(match[1]), parse_lsn(match[2]), match[3], match[4]

    def _end(self) -> int:
        """Return where the last of the segments ends that follow each other; `pg_waldump` would wait 5 s for the next one."""
        sizes = [path.stat().st_size for path in self.folder.glob(f"{self.timeline:08X}" + "[0-9A-F]" * 16)]
        size = max(sizes, default=SEGMENT_BYTES)
        name = segment_name(self.timeline, self.start, size=size)
        while (self.folder / name).is_file():
            name = next_segment(name, size=size)
        return segment_start(name, size=size)


def require_whole(wal: Wal, end: int, tools: Tools, *, size: int) -> None:
    """Prove that every record up to one is there and as it was written; PostgreSQL itself would promote at the first fault.

    The last one's head is read too.

    Args:
        wal: The stretch.
        end: Where the last record that is needed begins.
        tools: Those of the server's major.
        size: Bytes a segment.

    Raises:
        WalMissing: A segment is not there.
        WalDamaged: A record has another checksum.
        TablespaceMade: A tablespace is made in it.
    """
    wanted = [segment_name(wal.timeline, at, size=size) for at in range(wal.start - wal.start % size, end + 1, size)]
    missing = next((name for name in wanted if not (wal.folder / name).is_file()), None)
    if missing is not None:
        raise WalMissing(
            f"the WAL segment {missing} is missing, and recovery would end at {format_lsn(segment_start(missing, size=size))}",
            hint="take it from another repository, or recover to a time before it",
            data={"segment": missing},
        )
    place = [f"--path={wal.folder}", f"--timeline={wal.timeline}", f"--start={format_lsn(wal.start)}"]
    read = outcome(tools, "pg_waldump", ["--rmgr=Tablespace", *place, f"--end={format_lsn(_limit(end, size))}"])
    if read.code:
        until = format_lsn(min(end, segment_end(wanted[-1], size=size)))
        raise WalDamaged(
            f"the WAL cannot be read up to {until}: {read.said.splitlines()[-1]}",
            hint="take that segment from another repository",
        )
    made = _NEW_TABLESPACE.search(read.said)
    if made is not None:  # replaying it would write to the place where the real server's tablespace is
        raise TablespaceMade(
            f"the tablespace {made[2]} was made after the backup, at {made[1]}, and replaying that would write to its place",
            hint="recover to a time before it, or from a backup that was taken after it",
        )


def _limit(end: int, size: int) -> int:
    """Return where `pg_waldump` is to end: behind the last record's head, or the segment's beginning if that is in its first one.

    It reads no further, and looks at a whole head all the same: told to end within the first one of a segment, it takes that from
    the page that it read before, and calls it damaged (15 to 18).
    """
    limit = end + _HEAD
    return limit - limit % size if _HEAD <= limit % size < _LONG + _HEAD else limit


def _kind(word: str, rest: str) -> Change | None:
    """Return what a record did to a row; an update that moves it to another partition is written as its deletion there."""
    kind = _KINDS.get(word)
    if kind == "DELETE":
        flags = _FLAGS.search(rest)
        return "UPDATE" if flags is not None and int(flags[1], 16) & MOVED else kind
    return kind


def _file(rest: str) -> str:
    match = _RELATION.search(rest)
    return match[1] if match else ""


def _commit(xid: int, lsn: int, rest: str) -> Commit | None:
    match = _COMMIT.match(rest)
    if match is None:
        return None
    lists = {name: words.split() for name, words in _LIST.findall(match[3])}
    time = datetime.fromisoformat(match[2]).replace(tzinfo=UTC)
    dropped = (word.removeprefix(_STATISTICS_OF_RELATION) for word in lists.get("dropped stats", ()) if word[:2] == "2/")
    return Commit(
        int(match[1] or xid),
        lsn,
        time,
        tuple(int(word) for word in lists.get("subxacts", ())),
        tuple(file_of(word) for word in lists.get("rels", ())),
        tuple(dropped),
    )


def file_of(path: str) -> str:
    """Return `1663/5/16384` of `base/5/16384`, and of a tablespace's longer path its own three numbers."""
    parts = path.split("/")
    match parts[0]:
        case "base":
            return f"1663/{parts[1]}/{parts[2]}"
        case "pg_tblspc":
            return f"{parts[1]}/{parts[3]}/{parts[4]}"
        case _:
            return f"1664/0/{parts[-1]}"
