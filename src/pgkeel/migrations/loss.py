"""Find out what a Down would lose, by rehearsing it in a transaction that is rolled back.

What the catalog no longer holds afterwards is what the statements drop, through CASCADE, DO blocks and routines as well; a
parser would see only the plain ones.
"""

from collections.abc import Sequence

import msgspec

from pgkeel.core.telling import counted
from pgkeel.migrations.errors import DataLoss, MigrationBlocked, MigrationFailed
from pgkeel.migrations.execute import Run, opening
from pgkeel.migrations.message import compose
from pgkeel.migrations.patience import Patience, roll_back, try_once
from pgkeel.migrations.plan import Task
from pgkeel.migrations.waiting import Waiting
from pgkeel.postgres import Row, identifier, load

__all__ = ["Loss", "losses", "require_nothing_lost"]

_BOUND = 1_000_000


class Loss(msgspec.Struct, frozen=True):
    """A table or column that goes, and what is in it.

    Attributes:
        table: With its schema.
        column: "" where the whole table goes.
        rows: Its rows, or the rows with a value in the column; counted up to a million.
    """

    table: str
    column: str
    rows: int

    def __str__(self) -> str:
        """Return it in words."""
        more = "more than " if self.rows >= _BOUND else ""
        what = "value" if self.column else "row"
        name = f"{self.table}.{self.column}" if self.column else self.table
        return f"{name} ({more}{counted(self.rows, what)})"


def require_nothing_lost(run: Run, tasks: Sequence[Task]) -> None:
    """Refuse Downs that drop a table or column with rows in it.

    Raises:
        DataLoss: They do; the message says how much, `data["losses"]` too.
    """
    found = losses(run, tasks)
    if found:
        shown = ", ".join(str(loss) for loss in found)
        hint = "--allow-data-loss reverts all the same; take a backup first"
        raise DataLoss(f"reverting would lose {shown}", hint=hint, data={"losses": [msgspec.to_builtins(loss) for loss in found]})


def losses(run: Run, tasks: Sequence[Task]) -> tuple[Loss, ...]:
    """Return what the tasks would drop that holds anything; nothing is changed.

    Raises:
        DataLoss: It cannot be told, because a statement between them runs only outside a transaction.
        MigrationBlocked: Locks could not be had before the deadline.
        MigrationFailed: A Down cannot run.
    """
    before = _columns(run)
    patience = Patience(tasks[0], run.options)
    while True:
        try:
            _rehearse(run, tasks)
            after = _columns(run)
            break
        except MigrationBlocked as err:
            if not patience.allows(err):
                raise
        finally:
            roll_back(run.connection)
        patience.pause()
    gone = [row for key, row in before.items() if key not in after]
    return tuple(_count(run, gone, {relation for relation, _ in after}))


def _columns(run: Run) -> dict[tuple[int, int], Row]:
    return {(row["relation"], row["number"]): row for row in load(__name__, "columns").rows(run.connection)}


def _rehearse(run: Run, tasks: Sequence[Task]) -> None:
    """Run every atomic unit in one transaction and leave it open; a failure leaves none."""
    steps = [(task, unit) for task in tasks for unit in task.units[task.first :]]
    is_first, skipped = True, False
    for task, unit in steps:
        if not unit.is_atomic:
            skipped = True
            continue
        before = opening(run, task, unit)
        message = compose(before if is_first else before[1:], (*unit.settings, *unit.statements), ())
        failure = try_once(run.connection, task, message, Waiting(run.watcher, run.report, task.title))
        is_first = False
        if isinstance(failure, MigrationFailed) and skipped:
            hint = "--allow-data-loss reverts all the same; take a backup first"
            raise DataLoss(f"what reverting loses cannot be told beforehand: {failure.message}", hint=hint) from failure
        if failure is not None:
            raise failure


def _count(run: Run, gone: Sequence[Row], left: set[int]) -> list[Loss]:
    found: dict[tuple[str, str], Loss] = {}
    for row in gone:
        table = identifier(row["schema"], row["table"])
        name = f"{row['schema']}.{row['table']}"
        column = row["column"] if row["relation"] in left else ""
        if (name, column) in found:
            continue
        if column:
            query = load(__name__, "count_values").named(table=table, column=identifier(column))
        else:
            query = load(__name__, "count_rows").named(table=table)
        found[name, column] = Loss(name, column, query.scalar(run.connection, bound=_BOUND))
    return [loss for loss in found.values() if loss.rows]
