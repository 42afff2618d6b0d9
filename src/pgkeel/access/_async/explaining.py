"""Plans of statements as the data access would run them."""

from collections.abc import Sequence
from contextlib import suppress

from pgkeel.access._async.runner import Runner
from pgkeel.access.errors import ReadOnly
from pgkeel.access.explain.plan import Explained, read_plan
from pgkeel.access.explain.request import Analyze, needs_rollback, request

__all__ = ["explain"]


async def explain(runner: Runner, statement: str, values: Sequence[object], analyze: Analyze) -> Explained:
    """Return the plan of a statement; nothing that it does is kept.

    Raises:
        ReadOnly: It writes, and may not be run.
        AccessError: The server refused it.
    """
    asked = request(statement, analyze)
    slot = await runner.slot("explain")
    try:
        await slot.connection.execute(asked.begin)
        record = await slot.connection.fetch_row(asked.explain, values)
        await slot.connection.execute(asked.end)
    except runner.pool.driver.errors as err:
        failure = runner.failure(err, "explain")
        with suppress(*runner.pool.driver.errors):
            await slot.connection.execute(asked.end)
        runner.pool.release(slot)
    except BaseException:
        runner.pool.discard(slot)
        raise
    else:
        runner.pool.release(slot)
        return read_plan(next(iter(record or ())))
    raise needs_rollback() if isinstance(failure, ReadOnly) else failure
