"""Which files a table has been between what was written down of it: TRUNCATE and rewrites change it, and the WAL says so.

A transaction's commit lists the files that it removes, the last one given up first; what it creates and locks stands before that:

- TRUNCATE, REINDEX and SET TABLESPACE create a file for a relation that is there, and give up its old one;
- VACUUM FULL, CLUSTER, ALTER TABLE and REFRESH make a relation, which they lock before they create its file (an index after),
  copy the rows, give it the old file in exchange, and drop it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from pgkeel.backup.recovery.wal import Commit, Wal, file_of
from pgkeel.backup.tools import Tools

__all__ = ["Descent", "descents", "grown"]


class Descent(msgspec.Struct, frozen=True):
    """A relation's old file and its new one.

    Attributes:
        xid: The transaction that gave it the new one.
        old: As `1663/5/16384`.
        new: So too.
        is_rewrite: Whether the rows were carried over.
        is_certain: Whether it is that relation's, and not perhaps that of another one which the transaction changed too.
    """

    xid: int
    old: str
    new: str
    is_rewrite: bool
    is_certain: bool = True

    @property
    def is_move(self) -> bool:
        """Whether it went to another tablespace, as it was."""
        return self.old.partition("/")[0] != self.new.partition("/")[0]


class _Event(msgspec.Struct, frozen=True):
    """A file that is created, or a relation (`database/oid`) that is locked."""

    file: str | None
    relation: str


class _Created(msgspec.Struct, frozen=True):
    """A file that a transaction created.

    Attributes:
        file: It.
        is_made: Whether its relation was made with it.
        is_index: Whether that is an index.
        is_passing: Whether that was dropped at the end.
    """

    file: str
    is_made: bool
    is_index: bool
    is_passing: bool


def descents(wal: Wal, tools: Tools, commits: Sequence[Commit], oids: Collection[str]) -> tuple[Descent, ...]:
    """Return which files became which, but for what transactions did that dropped one of some relations.

    Args:
        wal: Where that is written.
        tools: Those of the server's major.
        commits: Its transactions.
        oids: `database/oid` of the relations.
    """
    events = _events(wal, tools)
    found = list[Descent]()
    for one in commits:
        if one.files and not set(oids).intersection(one.dropped):
            created = _created([event for xid in sorted((one.xid, *one.parts)) for event in events.get(xid, ())], one)
            found += _rewritten(one, created) if any(each.is_passing for each in created) else _replaced(one, created)
    return tuple(found)


def grown(files: Collection[str], some: Sequence[Descent]) -> frozenset[str]:
    """Return a table's files and those that they came from and became."""
    found, new = set(files), set(files)
    while new:
        forth = {one.new for one in some if one.old in new}
        back = {one.old for one in some if one.new in new and one.is_certain}
        new = (forth | back) - found
        found |= new
    return frozenset(found)


def _events(wal: Wal, tools: Tools) -> Mapping[int, list[_Event]]:
    found = defaultdict[int, list[_Event]](list)
    for xid, _, word, rest in wal.records(tools, ["--rmgr=Storage", "--rmgr=Standby"]):
        words = rest.split()
        if word == "CREATE" and words[0].rpartition("/")[2].isdecimal():
            file = file_of(words[0])
            found[xid].append(_Event(file, file.partition("/")[2]))
        elif word == "LOCK" and xid:  # a checkpoint tells of all locks again, and is no transaction
            found[xid].append(_Event(None, f"{words[3]}/{words[5]}"))
    return found


def _created(events: Sequence[_Event], commit: Commit) -> list[_Created]:
    found = list[_Created]()
    for number, event in enumerate(events):
        if event.file is None:
            continue
        is_before, is_after = (
            at in range(len(events)) and events[at] == _Event(None, event.relation) for at in (number - 1, number + 1)
        )
        is_made = is_before or is_after
        found.append(_Created(event.file, is_made, is_after and not is_before, is_made and event.relation in commit.dropped))
    return found


def _replaced(commit: Commit, created: Sequence[_Created]) -> Iterator[Descent]:
    """Yield what became of files of relations that stayed; where others went, too, each new file may be anybody's."""
    new = [one.file for one in created if not one.is_made]
    if len(new) == len(commit.files):
        yield from (Descent(commit.xid, *pair, False) for pair in zip(reversed(commit.files), new, strict=True))
    else:
        yield from (Descent(commit.xid, old, one, False, is_certain=False) for old in commit.files for one in new)


def _rewritten(commit: Commit, created: Sequence[_Created]) -> Iterator[Descent]:
    """Yield what became of the files of tables that were rewritten; the last one gave up its own last, its indexes' before."""
    passing = [one for one in created if one.is_passing]
    heads = [
        one
        for number, one in enumerate(passing)
        if not one.is_index and not (number + 1 < len(passing) and passing[number + 1].is_index)  # that one is its TOAST table
    ]
    given, at = list(commit.files), 0
    for head, after in zip(reversed(heads), (None, *reversed(heads[1:])), strict=True):
        mine = created[created.index(head) : None if after is None else created.index(after)]
        if at < len(given):
            yield Descent(commit.xid, given[at], head.file, True, is_certain=len(heads) == 1)
        at += len(mine)  # for each file of a table, of its TOAST table and of its indexes it gave one up
