# Generated from pgkeel/access/_async/explaining.py by tools/unasync.py; do not edit.
"""Plans of statements as the data access would run them."""

from collections.abc import Sequence
from contextlib import suppress

from pgkeel.access._sync.runner import Runner
from pgkeel.access.errors import ReadOnly
from pgkeel.access.explain.plan import Explained, read_plan
from pgkeel.access.explain.request import Analyze, needs_rollback, request

__all__ = ["explain"]


def explain(runner: Runner, statement: str, values: Sequence[object], analyze: Analyze) -> Explained:
    """Return the plan of a statement; nothing that it does is kept.

    Raises:
        ReadOnly: It writes, and may not be run.
        AccessError: The server refused it.
    """
    asked = request(statement, analyze)
    slot = runner.slot("explain")
    try:
        slot.connection.execute(asked.begin)
        record = slot.connection.fetch_row(asked.explain, values)
        slot.connection.execute(asked.end)
    except runner.pool.driver.errors as err:
        failure = runner.failure(err, "explain")
        with suppress(*runner.pool.driver.errors):
            slot.connection.execute(asked.end)
        runner.pool.release(slot)
    except BaseException:
        runner.pool.discard(slot)
        raise
    else:
        runner.pool.release(slot)
        return read_plan(next(iter(record or ())))
    raise needs_rollback() if isinstance(failure, ReadOnly) else failure
