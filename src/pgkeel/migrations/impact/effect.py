"""What a statement does to others: which lock it takes on which table, and whether it writes or reads all of it."""

import re
from collections.abc import Iterable

import msgspec

__all__ = ["MODES", "Effect", "Lock", "blocks", "merge", "mode_of", "strongest"]

# PostgreSQL manual, 13.3.1, from the weakest to the strongest, in the order of lockdefs.h
MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
_WRITERS_WAIT, _EVERYBODY_WAITS = MODES.index("SHARE"), MODES.index("ACCESS EXCLUSIVE")


class Lock(msgspec.Struct, frozen=True, order=True):
    """A lock on a table, kept until the transaction ends.

    Attributes:
        table: Its name, with the schema unless that is `public`.
        mode: As `LOCK TABLE` spells it.
    """

    table: str
    mode: str


class Effect(msgspec.Struct, frozen=True):
    """What one statement does.

    Attributes:
        locks: The strongest on each table; those of the catalog and of indexes are left out.
        rewrites: Tables that are written anew, their indexes with them.
        scans: Tables of which every row is read: a check, or an index that is built.
        is_complete: False where some of it cannot be seen: a routine, SQL that is put together at run time.
        note: What to know beside it.
    """

    locks: tuple[Lock, ...] = ()
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    is_complete: bool = True
    note: str = ""

    def mode_on(self, table: str) -> str:
        """Return the mode of its lock on a table, or ""."""
        return next((lock.mode for lock in self.locks if lock.table == table), "")


def strongest(locks: Iterable[Lock]) -> tuple[Lock, ...]:
    """Return one lock a table, the strongest, sorted by table."""
    modes: dict[str, str] = {}
    for lock in locks:
        if MODES.index(lock.mode) >= MODES.index(modes.get(lock.table, MODES[0])):
            modes[lock.table] = lock.mode
    return tuple(Lock(table, mode) for table, mode in sorted(modes.items()))


def merge(effects: Iterable[Effect]) -> Effect:
    """Return what several actions of one statement do together."""
    found = list(effects)
    return Effect(
        strongest(lock for one in found for lock in one.locks),
        tuple(sorted({table for one in found for table in one.rewrites})),
        tuple(sorted({table for one in found for table in one.scans})),
        is_complete=all(one.is_complete for one in found),
        note="; ".join(dict.fromkeys(one.note for one in found if one.note)),
    )


def blocks(mode: str) -> str:
    """Return whom a lock holds off: `reads and writes`, `writes`, or "" (other changes of the schema at most)."""
    rank = MODES.index(mode) if mode else 0
    return "reads and writes" if rank >= _EVERYBODY_WAITS else "writes" if rank >= _WRITERS_WAIT else ""


def mode_of(name: str) -> str:
    """Return how `LOCK TABLE` spells a mode of `pg_locks`: `AccessExclusiveLock` is `ACCESS EXCLUSIVE`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Lock")).upper()
