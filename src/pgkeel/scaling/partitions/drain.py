"""Move the rows of the default partition into their months while everybody reads and writes.

PostgreSQL offers no way to move rows between partitions that is bounded and invisible. DELETE and INSERT in one transaction
hide a row from a reader whose snapshot is older and whose plan is newer; several transactions hide it from everybody in between;
and ATTACH scans a default partition that is not empty, under the strongest lock. So the rows are copied, and the places switched:

1. Each month gets a table of its own, not attached, complete with indexes and valid foreign keys. No trigger fires for a copy.
2. A trigger starts to note the keys of rows that change in the default partition (ALWAYS, so that replicated changes count).
3. The rows are copied, a bounded number of blocks a transaction. Readers see the default partition alone, all the time.
4. Noted keys are followed: their copies are dropped and taken again, a bounded number a transaction, until few are left.
5. Transactions whose snapshot is older than the copies are waited for: they would not see them.
6. The switch, one short transaction: lock the parent, follow the last notes, TRUNCATE the default partition, ATTACH the months.
   TRUNCATE is no MVCC: even an older snapshot finds the default partition empty, and each row once, in its month. No scan is
   needed (the CHECK of a month proves its range, the default partition is empty), so its length does not depend on the rows.

A reader of READ COMMITTED takes its snapshot after its lock, so it sees all rows, once. One of REPEATABLE READ whose snapshot is
older than the switch, but which touches the table only after it, sees all rows that were copied before its snapshot: all, unless
changes had to be followed in the switch itself, which is put off up to 10 times in favour of a moment in which there are none.

`kill -9` leaves the default partition as it is, and the copies with the notes: the next run goes on. Where a TRUNCATE or a
rewrite of the default partition spoiled the copies meanwhile, it starts again.
"""

from collections.abc import Iterable
from datetime import timedelta
from functools import partial

import psycopg

from pgkeel.core.errors import LockNotObtained
from pgkeel.core.log import get_logger
from pgkeel.postgres import load
from pgkeel.scaling.partitions import month_table
from pgkeel.scaling.partitions.layout import Layout, read_layout
from pgkeel.scaling.partitions.months import Month
from pgkeel.scaling.partitions.patience import Patience
from pgkeel.scaling.partitions.stage import Stage, StageSpoiled

__all__ = ["BLOCKS", "drain"]

log = get_logger(__name__)

BLOCKS = 500  # of 8 KiB a transaction: some ten thousand rows
_NOTES = 1_000  # followed a transaction, and at most so many in the switch
_QUIET_TRIES = 10
_SPOILED = (
    StageSpoiled,
    psycopg.errors.UndefinedTable,  # a table of the stage was dropped
    psycopg.errors.UndefinedColumn,  # the partitioned table was altered meanwhile
    psycopg.errors.DatatypeMismatch,
    psycopg.errors.InvalidObjectDefinition,  # somebody attached one of the months
)


def drain(patience: Patience, layout: Layout, months: Iterable[Month], *, blocks: int = BLOCKS) -> dict[Month, int]:
    """Move the rows of these months out of the default partition; return how many each month has now.

    Args:
        patience: The connection, its lock timeout and the deadline.
        layout: How the table stands.
        months: What to drain; a drain that a killed run began goes on with its own months.
        blocks: Blocks copied a transaction.

    Raises:
        LockNotObtained: The deadline passed; the next run goes on.
    """
    stage = _staged(patience, layout, months)
    try:
        return _carry_out(patience, stage, blocks)
    except _SPOILED as err:
        log.warning("partitions.stage_spoiled", table=layout.table, reason=type(err).__name__)
        _abandon(patience, read_layout(patience.connection, layout.parent.as_string(None)))
        return {}


def _carry_out(patience: Patience, stage: Stage, blocks: int) -> dict[Month, int]:
    what = stage.layout.table
    while patience.transaction(what, partial(stage.copy, blocks)):
        pass
    _follow(patience, stage)
    moved = {month: patience.transaction(what, partial(stage.count, month)) for month in stage.months}
    _outwait(patience, stage)
    for tries_left in range(_QUIET_TRIES, -1, -1):
        most = 0 if tries_left else _NOTES
        if patience.transaction(what, partial(_switch, stage, most)):
            break
        _follow(patience, stage)
    return moved


def _staged(patience: Patience, layout: Layout, months: Iterable[Month]) -> Stage:
    """Return the stage of a drain: the one that a killed run left, or a new one."""
    left = Stage(patience.connection, layout, layout.staged)
    if left.has_begun and layout.staged:
        log.info("partitions.drain_goes_on", table=layout.table, months=[str(month) for month in layout.staged])
        return left
    if left.has_begun or layout.staged:
        _abandon(patience, layout)
    stage = Stage(patience.connection, layout, sorted(months))
    for month in stage.months:
        patience.transaction(layout.table, partial(month_table.make, patience.connection, layout, month))
    patience.transaction(layout.table, stage.begin)
    return stage


def _abandon(patience: Patience, layout: Layout) -> None:
    patience.transaction(layout.table, Stage(patience.connection, layout, layout.staged).abandon)


def _follow(patience: Patience, stage: Stage) -> None:
    """Follow the noted changes until fewer are left than one transaction takes."""

    def some() -> int:
        stage.check()
        notes = stage.notes(_NOTES)
        if notes:
            stage.follow(notes)
        return len(notes)

    while patience.transaction(stage.layout.table, some) >= _NOTES:
        pass


def _outwait(patience: Patience, stage: Stage) -> None:
    timeout = load(__name__, "statement_timeout")
    timeout.rows(patience.connection, value=str(patience.rest // timedelta(milliseconds=1)))
    try:
        stage.outwait_snapshots()
    except psycopg.errors.QueryCanceled as err:
        raise LockNotObtained(
            f"{stage.layout.table}: a transaction that is older than the copies stayed open until the deadline",
            hint="end it and run `pgkeel scale partitions run` again; it goes on where it stopped",
        ) from err
    finally:
        timeout.rows(patience.connection, value="0")


def _switch(stage: Stage, most: int) -> bool:
    """Switch, when at most so many changes are left to follow under the lock; return whether it was done."""
    month_table.lock(stage.connection, stage.layout)
    stage.check()
    notes = stage.notes(most + 1)
    if len(notes) > most:
        return False
    if notes:
        stage.follow(notes)
    stage.switch()
    return True
