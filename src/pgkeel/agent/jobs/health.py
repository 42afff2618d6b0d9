"""Look whether the database answers; runs on every agent, above all while it does not."""

from datetime import timedelta

import psycopg

from pgkeel.agent.context import Context
from pgkeel.agent.jobs.job import Job, Result
from pgkeel.core.errors import Unreachable
from pgkeel.core.log import get_logger
from pgkeel.postgres import describe, load, server_of

__all__ = ["JOB"]

log = get_logger(__name__)


def look(context: Context) -> Result:
    """Return whether the database answers, what it is, and how its connections are used."""
    started = context.clock.monotonic()
    try:
        with context.connect() as connection:
            server = server_of(connection)
            used = load(__name__, "connections").row(connection) or {}
    except (Unreachable, psycopg.OperationalError) as err:
        context.check()
        reason = describe(err) if isinstance(err, psycopg.Error) else err.message
        log.warning("health.unreachable", reason=reason)
        return {"database": "unreachable", "reason": reason}
    took = round((context.clock.monotonic() - started) * 1000)
    return {"database": "up", "version": server.version, "standby": server.in_recovery, "milliseconds": took, **used}


JOB = Job(name="health", schedule="* * * * *", role="monitor", deadline=timedelta(seconds=30), needs_leader=False, run=look)
