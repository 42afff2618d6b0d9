"""Find the transaction that did the damage, by the table's name: in the WAL a table is a file, and files change."""

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from pgkeel.backup.lsn import format_lsn
from pgkeel.backup.recovery.cut import Cut, after_all, at_lsn, at_mark, at_time, before_xid
from pgkeel.backup.recovery.errors import AmbiguousTarget, TargetNotFound
from pgkeel.backup.recovery.wal import Commit, Wal
from pgkeel.backup.recovery.wish import Statement, Wish
from pgkeel.backup.tools import Tools
from pgkeel.core.telling import counted

__all__ = ["Candidate", "Files", "TableFiles", "candidates", "cut_of"]

_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}

_SHOWN = 5


class TableFiles(msgspec.Struct, frozen=True):
    """Which files a table, its partitions included, has been, as far as anybody wrote it down.

    Attributes:
        files: As `1663/5/16384`: tablespace, database, file.
        oids: `database/oid` of the table and of its partitions.
    """

    files: frozenset[str] = frozenset()
    oids: frozenset[str] = frozenset()


Files = Callable[[Statement], TableFiles]


class Candidate(msgspec.Struct, frozen=True):
    """A transaction that may be the one.

    Attributes:
        xid: Its number.
        time: When it was committed.
        rows: How many rows it changed; None where that is not known (TRUNCATE, DROP).
        lsn: Where its commit record begins.
    """

    xid: int
    time: datetime
    rows: int | None
    lsn: str


def cut_of(wish: Wish, wal: Wal, tools: Tools, files: Files) -> Cut:
    """Return the place that a wish means.

    Args:
        wish: What was asked for.
        wal: Everything that is known of the timeline.
        tools: Those of the server's major.
        files: Says which files a table has been.

    Raises:
        TargetNotFound: There is no such place in the WAL.
        AmbiguousTarget: There are several; `error.data.candidates` lists them.
    """
    commits = tuple(wal.commits(tools))
    match wish:
        case Wish(time=datetime() as time):
            return at_time(commits, wal.timeline, time)
        case Wish(lsn=int() as lsn):
            return at_lsn(commits, wal.timeline, lsn)
        case Wish(name=str() as name):
            return at_mark(commits, wal.timeline, tuple(wal.marks(tools)), name)
        case Wish(xid=int() as xid):
            return before_xid(commits, wal.timeline, xid)
        case Wish(before=Statement() as statement):
            found = candidates(statement, wal, tools, files(statement), commits)
            return before_xid(commits, wal.timeline, _chosen(wish, statement, found).xid)
        case _:
            return after_all(commits, wal.timeline)


def candidates(
    statement: Statement, wal: Wal, tools: Tools, table: TableFiles, commits: Sequence[Commit]
) -> tuple[Candidate, ...]:
    """Return the committed transactions that did this to the table, oldest first.

    TRUNCATE and DROP change no row: the first leaves the table's file behind, the second also its statistics.

    Raises:
        TargetNotFound: Nobody knows this table.
    """
    if not table.files and not table.oids:
        raise TargetNotFound(f"no backup and no server knows {statement.schema}.{statement.table}", hint="check its name")
    if statement.word in {"TRUNCATE", "DROP"}:
        wanted = statement.word == "DROP"
        hit = [one for one in commits if _lost(one, table) and bool(table.oids.intersection(one.dropped)) is wanted]
        return tuple(_candidate(one, None) for one in hit)
    changed = wal.changes(tools, table.files, "DELETE" if statement.word == "DELETE" else "UPDATE")
    counted = ((one, sum(changed[xid] for xid in (one.xid, *one.parts))) for one in commits)
    return tuple(_candidate(one, rows) for one, rows in counted if rows)


def _lost(one: Commit, table: TableFiles) -> bool:
    return bool(table.files.intersection(one.files) or table.oids.intersection(one.dropped))


def _candidate(one: Commit, rows: int | None) -> Candidate:
    return Candidate(one.xid, one.time, rows, format_lsn(one.lsn))


def _chosen(wish: Wish, statement: Statement, found: Collection[Candidate]) -> Candidate:
    fitting = [one for one in found if wish.rows is None or _fits(one.rows, wish.rows)]
    if not fitting:
        seen = f"{len(found)} have another number of rows" if found else "widen the search: an older backup, another timeline"
        raise TargetNotFound(f"no committed transaction did {statement}", hint=seen)
    if len(fitting) > 1 and not wish.latest:
        shown = ", ".join(map(_said, fitting[-_SHOWN:]))
        raise AmbiguousTarget(
            f"{len(fitting)} transactions did {statement}{', the last' if len(fitting) > _SHOWN else ''}: {shown}",
            hint='choose: --before-xid N, --latest, or --rows ">= N"',
            data={"candidates": msgspec.to_builtins(fitting)},
        )
    return fitting[-1]


def _said(one: Candidate) -> str:
    rows = "" if one.rows is None else f"{counted(one.rows, 'row')}, "
    return f"{one.xid} ({rows}{one.time:%Y-%m-%d %H:%M:%SZ})"


def _fits(rows: int | None, wanted: tuple[str, int]) -> bool:
    return rows is not None and _COMPARISONS[wanted[0]](rows, wanted[1])
