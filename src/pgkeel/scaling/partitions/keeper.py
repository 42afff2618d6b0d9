"""Keep a monthly table: months ready in advance, default partition empty."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

import msgspec
import psycopg

from pgkeel.core.clock import now as system_now
from pgkeel.core.clock import sleep
from pgkeel.core.errors import LockNotObtained
from pgkeel.core.log import get_logger
from pgkeel.postgres import Connection, load
from pgkeel.scaling.partitions import month_table
from pgkeel.scaling.partitions.drain import BLOCKS, drain
from pgkeel.scaling.partitions.layout import Layout, read_layout
from pgkeel.scaling.partitions.months import Month
from pgkeel.scaling.partitions.patience import Patience
from pgkeel.scaling.partitions.plan import Plan, plan

__all__ = ["Outcome", "inspect", "run"]

log = get_logger(__name__)

_PASSES = 5  # rows of further months may arrive while one pass works
_LOCK_TIMEOUT = timedelta(milliseconds=100)
_DEADLINE = timedelta(minutes=5)


class Outcome(msgspec.Struct, frozen=True):
    """What a run did.

    Attributes:
        table: The table, with its schema.
        created: Partitions made, by name, in order.
        moved: Partition → rows that it took out of the default partition.
        left: Rows that stay in the default partition.
        why_left: Why, one sentence; "" when none stays.
        retries: How often a transaction was put off because others held a lock.
    """

    table: str
    created: tuple[str, ...]
    moved: dict[str, int]
    left: int
    why_left: str
    retries: int


def inspect(connection: Connection, table: str) -> tuple[Layout, dict[Month | None, int]]:
    """Return how a table stands, and month → rows of it in the default partition (None: rows that no month can hold).

    Raises:
        NotFound: There is no such partitioned table.
        Refused: It is not a monthly table.
    """
    layout = read_layout(connection, table)
    if layout.default is None:
        return layout, {}
    names = {"default": layout.named(layout.default.name), "key": psycopg.sql.Identifier(layout.key)}
    rows = load(__name__, "contents").named(**names).rows(connection)
    return layout, {Month(row["year"], row["month"]) if row["year"] else None: row["rows"] for row in rows}


def run(
    connection: Connection,
    table: str,
    *,
    ahead: int = 3,
    now: datetime | None = None,
    lock_timeout: timedelta = _LOCK_TIMEOUT,
    deadline: timedelta = _DEADLINE,
    blocks: int = BLOCKS,
    before_write: Callable[[Connection], None] = lambda _: None,
) -> Outcome:
    """Move rows out of the default partition into their months, then make the months ahead. Safe to repeat and to kill.

    Args:
        connection: The table's owner, in autocommit; whatever its time zone.
        table: Its name, with or without schema.
        ahead: How many months after the present one shall be ready.
        now: The time; the present by default.
        lock_timeout: How long one lock is waited for: the worst stall that readers and writers see.
        deadline: How long lock timeouts are retried in all.
        blocks: Blocks of the default partition copied a transaction.
        before_write: Called first in every writing transaction.

    Raises:
        NotFound: There is no such partitioned table.
        Refused: It is not a monthly table.
        LockNotObtained: Long transactions held it until the deadline, or another run works on it. The next run goes on.
    """
    patience = Patience(connection, lock_timeout=lock_timeout, deadline=deadline, before_write=before_write)
    created: dict[str, None] = {}
    moved: dict[str, int] = {}
    layout = read_layout(connection, table)
    with _alone(patience, f"{layout.schema}.{layout.table}"):
        for _ in range(_PASSES):
            layout, contents = inspect(connection, table)
            work = plan(layout, contents, now=now or system_now(), ahead=ahead)
            if work.is_empty and not layout.staged:
                break
            _pass(patience, layout, work, blocks, created, moved)
    outcome = Outcome(f"{layout.schema}.{layout.table}", tuple(created), moved, work.left, work.why_left, patience.retries)
    log.info("partitions.kept", table=outcome.table, created=len(created), moved=sum(moved.values()), left=outcome.left)
    return outcome


def _pass(patience: Patience, layout: Layout, work: Plan, blocks: int, created: dict[str, None], moved: dict[str, int]) -> None:
    if layout.default and (work.drain or layout.staged):
        for month, rows in drain(patience, layout, work.drain, blocks=blocks).items():
            moved[layout.name_of(month)] = rows
            created[layout.name_of(month)] = None
        return  # what the next pass finds may have changed
    for month in work.create:
        try:
            patience.transaction(layout.table, partial(_create, patience.connection, layout, month))
        except psycopg.errors.CheckViolation:
            return  # a row of that month has just landed in the default partition: the next pass drains it
        created[layout.name_of(month)] = None


def _create(connection: Connection, layout: Layout, month: Month) -> None:
    month_table.make(connection, layout, month)
    month_table.lock(connection, layout)
    month_table.attach(connection, layout, month)


@contextmanager
def _alone(patience: Patience, table: str) -> Iterator[None]:
    """Hold the advisory lock of the table's keeper; another run is waited for."""
    while not load(__name__, "try_keep").scalar(patience.connection, table=table):
        if patience.rest <= timedelta(milliseconds=1):
            raise LockNotObtained(f"another run works on {table}", hint="wait for it; `pgkeel agent status` shows the agent's")
        sleep(timedelta(milliseconds=100))
    try:
        yield
    finally:
        if not patience.connection.closed:
            load(__name__, "stop_keeping").scalar(patience.connection, table=table)
