"""Delete sessions that have expired, a bounded number a transaction; the design's `sessions` would grow for ever otherwise."""

from datetime import timedelta

from pgkeel.agent.context import Context
from pgkeel.agent.jobs.job import Job, Result
from pgkeel.postgres import load
from pgkeel.postgres.cache_ledger import forget_cached

__all__ = ["JOB"]

_BATCH = 5_000


def purge(context: Context) -> Result:
    """Delete what expired before now; the run is completed in the transaction of the last batch."""
    purged = 0
    with context.connect() as connection:
        has_sessions = load(__name__, "has_sessions").scalar(connection)
        while True:
            with connection.transaction():
                context.begin(connection)
                values = {"now": context.clock.now(), "batch": _BATCH}
                batch = load(__name__, "purge_sessions").run(connection, **values) if has_sessions else 0
                if batch:
                    forget_cached(connection, "sessions")
                if batch < _BATCH:
                    context.finish(connection)
            purged += batch
            if batch < _BATCH:
                return {"purged": purged}


JOB = Job(
    name="purge_sessions", schedule="23 * * * *", role="owner", deadline=timedelta(minutes=10), needs_leader=True, run=purge
)
