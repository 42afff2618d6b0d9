"""Which rows of a point were deleted later, by their places in their table's file: a row that is updated moves on, and is not.

The WAL names a row by file, block and offset. Each update of a committed transaction says from where to where a row went, so that
the deletion of what it became is known to be that of the row, and a place that it left to be nobody's, whoever takes it later.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from pgkeel.backup.recovery.wal import MOVED, Commit, Wal, file_of
from pgkeel.backup.tools import Tools

__all__ = ["Place", "deleted_rows", "later", "was_emptied"]

Place = tuple[int, int]

# 15 says "off 1 xmax 7 flags 0x20 ; new off 2 …", later ones say "old_xmax: 7, old_off: 1, …, flags: 0x20, …, new_off: 2, …";
# block #0 is the new row's, #1 the old one's where that is another
_DESCRIBED = re.compile(
    r"off:? (\d+),? .*?flags:? 0x([0-9A-F]+)(?:.*?new[ _]off:? (\d+))?.*?blkref #0: rel (\S+) blk (\d+)"
    r"(?:.*?blkref #1: rel \S+ blk (\d+))?"
)
_WORDS = {"DELETE", "UPDATE", "HOT_UPDATE"}
_FEW = 8


class _Step(msgspec.Struct, frozen=True, gc=False):
    """What was done to a row: `new` is None where it was deleted."""

    file: str
    old: Place
    new: Place | None
    is_moved: bool = False


class _Rows:
    """The rows of one file at the point, followed through the WAL."""

    def __init__(self) -> None:
        self.deleted = set[Place]()
        self._origins: dict[Place, Place | None] = {}

    def follow(self, step: _Step) -> None:
        """Move a row, or take it away; nobody's place stays one when a new row takes it."""
        origin = self._origins.get(step.old, step.old)
        self._origins[step.old] = None
        if step.new is not None:
            self._origins[step.new] = origin
        elif origin is not None and not step.is_moved:
            self.deleted.add(origin)


def later(commits: Sequence[Commit], lsn: int, *, is_kept: bool) -> dict[int, Commit]:
    """Return the transactions that were committed behind a point, by their numbers and those of their subtransactions.

    Args:
        commits: In the order of the WAL.
        lsn: Where the last kept transaction's commit record begins, or where a backup ends.
        is_kept: Whether there is such a transaction.
    """
    found = (one for one in commits if one.lsn > lsn or (one.lsn == lsn and not is_kept))
    return {xid: one for one in found for xid in (one.xid, *one.parts)}


def deleted_rows(wal: Wal, tools: Tools, files: Collection[str], late: Mapping[int, Commit]) -> dict[str, set[Place]]:
    """Return the places, as they were at the point, of rows that were deleted later, by file.

    Args:
        wal: From before any of these transactions began.
        tools: Those of the server's major.
        files: Files of tables at the point, as `1663/5/16384`.
        late: Transactions that were committed behind the point.
    """
    found = {file: _Rows() for file in files}
    for step in _steps(wal, tools, files, late):
        if step.file in found:
            found[step.file].follow(step)
    return {file: rows.deleted for file, rows in found.items()}


def was_emptied(wal: Wal, tools: Tools, then: str, now: str, late: Mapping[int, Commit]) -> bool:
    """Return whether TRUNCATE alone led from a table's file to the one that it has now: no row was carried over.

    A rewrite (VACUUM FULL, CLUSTER, ALTER TABLE) makes a new file as well: it is that of a table of its own, which goes at the
    end of the transaction, or its pages are copied. So both are told apart, and of what is neither nothing is known.
    """
    pages = wal.records(tools, ["--rmgr=XLOG", f"--relation={now}"])
    if any(word == "FPI" and f"rel {now} blk" in rest for _, _, word, rest in pages):
        return False
    storage = wal.records(tools, ["--rmgr=Storage"])
    made = {file_of(rest.strip()): late[xid] for xid, _, word, rest in storage if word == "CREATE" and xid in late}
    maker = made.get(now)
    is_of_a_rewrite = maker is not None and now.rpartition("/")[2] in {one.rpartition("/")[2] for one in maker.dropped}
    return not is_of_a_rewrite and _leads_back(now, then, made)


def _leads_back(file: str, then: str, made: Mapping[str, Commit]) -> bool:
    """Return whether a file was made by the transaction that removed another one, or something that led back to that."""
    rest, seen = [file], set[int]()
    while rest:
        commit = made.get(rest.pop())
        if commit is None or commit.xid in seen:
            continue
        if then in commit.files:
            return True
        seen.add(commit.xid)
        rest += commit.files
    return False


def _steps(wal: Wal, tools: Tools, files: Collection[str], late: Mapping[int, Commit]) -> Iterator[_Step]:
    """Yield updates and deletions of some transactions, of each file in the order of the WAL; many files are read at once."""
    selections = [[f"--relation={file}"] for file in files] if len(files) <= _FEW else [[]]
    for selection in selections:
        for xid, _, word, rest in wal.records(tools, ["--rmgr=Heap", *selection]):
            if word in _WORDS and xid in late:
                step = _step(rest)
                if step is not None:
                    yield step


def _step(rest: str) -> _Step | None:
    match = _DESCRIBED.search(rest)
    if match is None:
        return None
    offset, flags, new, file, block, old_block = match.groups()
    old = (int(old_block or block), int(offset))
    if new is None:
        return _Step(file, old, None, bool(int(flags, 16) & MOVED))
    return _Step(file, old, (int(block), int(new)))
