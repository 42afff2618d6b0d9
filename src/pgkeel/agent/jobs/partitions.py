"""Keep months of `events` ready in advance and its default partition empty."""

from datetime import timedelta

from pgkeel.agent.context import Context
from pgkeel.agent.jobs.job import Job, Result
from pgkeel.core.log import get_logger
from pgkeel.postgres import load
from pgkeel.scaling import partitions

__all__ = ["JOB"]

log = get_logger(__name__)

_TABLE = "events"
_DEADLINE = timedelta(minutes=30)


def keep(context: Context) -> Result:
    """Make the months ahead and drain the default partition; where the table is not kept, there is nothing to do."""
    with context.connect() as connection:
        if not load(__name__, "has_table").scalar(connection, table=_TABLE):
            with connection.transaction():
                context.finish(connection)
            return {"table": None}
        outcome = partitions.run(
            connection,
            _TABLE,
            ahead=context.settings.partitions_ahead,
            now=context.clock.now(),
            deadline=_DEADLINE * 0.8,
            before_write=context.begin,
        )
        with connection.transaction():
            context.finish(connection)
    if outcome.left:
        log.warning("partitions.left", table=_TABLE, rows=outcome.left, why=outcome.why_left)
    return {"table": _TABLE, "created": outcome.created, "moved": outcome.moved, "left": outcome.left}


JOB = Job(name="partitions", schedule="7 * * * *", role="owner", deadline=_DEADLINE, needs_leader=True, run=keep)
