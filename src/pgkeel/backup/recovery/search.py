"""Find the transaction that did the damage, by the table's name: in the WAL a table is a file, and files change."""

import operator
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from pgkeel.backup.lsn import format_lsn
from pgkeel.backup.recovery.cut import Cut, after_all, at_lsn, at_mark, at_time, before_xid
from pgkeel.backup.recovery.errors import AmbiguousTarget, TargetNotFound
from pgkeel.backup.recovery.lineage import Descent, descents, grown
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
_NAMELESS = (
    "check its name, and that it is of the project's database; "
    "a table that came after the last backup and is gone has left none: name a time"
)


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


def cut_of(wish: Wish, wal: Wal, tools: Tools, files: Files, *, since: datetime | None = None) -> Cut:
    """Return the place that a wish means.

    Args:
        wish: What was asked for.
        wal: Everything that is known of the timeline.
        tools: Those of the server's major.
        files: Says which files a table has been.
        since: Transactions of `before` that were committed earlier are none.

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
            all_ = candidates(statement, wal, tools, files(statement), commits)
            found = all_ if since is None else tuple(one for one in all_ if one.time >= since)
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
        raise TargetNotFound(f"no backup and no server knows {statement.schema}.{statement.table}", hint=_NAMELESS)
    if statement.word == "DROP":
        return tuple(_candidate(one, None) for one in commits if table.oids.intersection(one.dropped))
    known = descents(wal, tools, commits, table.oids)
    files = grown(table.files, known)
    if statement.word == "TRUNCATE":
        return tuple(_candidate(one, None) for one in _emptied(commits, table.oids, files, known))
    changed = wal.changes(tools, files, "DELETE" if statement.word == "DELETE" else "UPDATE")
    counted = ((one, sum(changed[xid] for xid in (one.xid, *one.parts))) for one in commits)
    return tuple(_candidate(one, rows) for one, rows in counted if rows)


def _emptied(
    commits: Sequence[Commit], oids: Collection[str], files: Collection[str], known: Sequence[Descent]
) -> Iterator[Commit]:
    """Yield the transactions that gave up a table's file and carried its rows nowhere."""
    carried = {(one.xid, one.old) for one in known if one.is_rewrite or one.is_move}
    for one in commits:
        given = [file for file in one.files if file in files]
        if not set(oids).intersection(one.dropped) and any((one.xid, file) not in carried for file in given):
            yield one


def _candidate(one: Commit, rows: int | None) -> Candidate:
    return Candidate(one.xid, one.time, rows, format_lsn(one.lsn))


def _chosen(wish: Wish, statement: Statement, found: Collection[Candidate]) -> Candidate:
    fitting = [one for one in found if wish.rows is None or _fits(one.rows, wish.rows)]
    if not fitting:
        hint = "widen the search: --since TIME" if not found else f"--rows lets none of these pass: {_listed(found)}"
        raise TargetNotFound(f"no committed transaction did {statement}{' to so many rows' if found else ''}", hint=hint)
    if len(fitting) > 1 and not wish.latest:
        raise AmbiguousTarget(
            f"{len(fitting)} transactions did {statement}{', the last' if len(fitting) > _SHOWN else ''}: {_listed(fitting)}",
            hint="choose: --before-xid N or --latest" + (', or --rows ">= N"' if fitting[0].rows is not None else ""),
            data={"candidates": msgspec.to_builtins(fitting)},
        )
    return fitting[-1]


def _listed(found: Collection[Candidate]) -> str:
    return ", ".join(map(_said, list(found)[-_SHOWN:]))


def _said(one: Candidate) -> str:
    rows = "" if one.rows is None else f"{counted(one.rows, 'row')}, "
    return f"{one.xid} ({rows}{one.time:%Y-%m-%d %H:%M:%SZ})"


def _fits(rows: int | None, wanted: tuple[str, int]) -> bool:
    return rows is not None and _COMPARISONS[wanted[0]](rows, wanted[1])
