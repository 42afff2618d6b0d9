"""Forget idempotency keys that nobody repeats any more, a bounded number a transaction."""

from datetime import timedelta

from pgkeel.agent.context import Context
from pgkeel.agent.jobs.job import Job, Result
from pgkeel.postgres import load

__all__ = ["JOB"]

_BATCH = 5_000


def forget(context: Context) -> Result:
    """Delete keys that are older than `[agent] once_kept`; the run is completed in the transaction of the last batch."""
    before, forgotten = context.clock.now() - context.settings.once_kept, 0
    with context.connect() as connection:
        is_kept = load(__name__, "has_once").scalar(connection)
        while True:
            with connection.transaction():
                context.begin(connection)
                batch = load(__name__, "forget_once").run(connection, before=before, batch=_BATCH) if is_kept else 0
                if batch < _BATCH:
                    context.finish(connection)
            forgotten += batch
            if batch < _BATCH:
                return {"forgotten": forgotten}


JOB = Job(name="forget_once", schedule="41 * * * *", role="owner", deadline=timedelta(minutes=10), needs_leader=True, run=forget)
