"""Compare closed partitions with what the full backup noted of them: no statement changes them, so only a fault can."""

from collections.abc import Callable, Sequence

import msgspec

from pgkeel.backup.closed import Closed, hash_of
from pgkeel.backup.recovery.checks import Check
from pgkeel.backup.recovery.wal import Wal
from pgkeel.backup.tools import Tools
from pgkeel.core.telling import counted
from pgkeel.postgres import Connection, load

__all__ = ["Touched", "noted_in", "partitions_check", "touched_in"]

Touched = Callable[[Sequence[Closed]], frozenset[str] | None]
_NAME, _SHOWN = "partitions", 3


def partitions_check(connection: Connection, noted: Sequence[Closed], touched: Touched) -> Check:
    """Hash each closed partition again; one that is another is a fault, unless the WAL says that somebody wrote to it.

    Args:
        connection: To the restored database.
        noted: What the full backup knew.
        touched: Returns which of some partitions were written to, emptied or dropped between the backup and the point, by
            `database/oid`; None where the WAL since then is not here.
    """
    other = [one for one in noted if _now(connection, one) != (one.rows, one.hash)]
    known = touched(other) if other else frozenset()
    if known is None:
        told = f"not evaluated: {_names(other)} differ, and the WAL since the full backup is not here"
        return Check(_NAME, None, told)
    wrong = [one for one in other if one.oid not in known]
    if wrong:
        return Check(_NAME, False, f"{_names(wrong)}: not what was backed up, though nobody wrote there since")
    same = len(noted) - len(other)
    return Check(
        _NAME,
        True,
        f"{counted(same, 'closed partition')} hash equal" + (f", {len(other)} were written to since" if other else ""),
    )


def touched_in(wal: Wal, tools: Tools, until: int, some: Sequence[Closed]) -> frozenset[str]:
    """Return which partitions a stretch of WAL up to a position writes to, empties, rewrites or drops, by `database/oid`."""
    gone = [one for one in wal.commits(tools) if one.lsn <= until]
    files = {file for one in gone for file in one.files}
    oids = {oid for one in gone for oid in one.dropped}
    return frozenset(
        one.oid for one in some if one.oid in oids or one.file in files or wal.is_written(tools, one.file, until=until)
    )


def noted_in(content: bytes) -> tuple[Closed, ...]:
    """Return what a backup noted."""
    return msgspec.json.decode(content, type=tuple[Closed, ...])


def _now(connection: Connection, one: Closed) -> tuple[int, str] | None:
    if not load(__name__, "is_here").scalar(connection, schema=one.schema, name=one.name):
        return None
    return hash_of(connection, one.schema, one.name)


def _names(some: Sequence[Closed]) -> str:
    return ", ".join(one.name for one in some[:_SHOWN])
