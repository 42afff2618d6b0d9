"""End soft-deleted rows that nobody may want back any more; those that others point to keep nothing of a person."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from pgkeel.access.purging import PURGE_BATCH, purge_statements
from pgkeel.agent.context import Context
from pgkeel.agent.jobs.job import Job, Result
from pgkeel.postgres import Connection, load
from pgkeel.postgres.cache_ledger import forget_cached

__all__ = ["purge_job"]

_DEADLINE = timedelta(hours=1)
Models = Callable[[], list[Any]]


def purge_job(models: Models, keep: timedelta) -> Job:
    """Return the job.

    Args:
        models: Returns the models with a soft delete, those that point to others before them; asked when the job runs.
        keep: How long a hidden row can be restored.
    """
    return Job(
        name="purge_deleted",
        schedule="41 3 * * *",
        role="owner",
        deadline=_DEADLINE,
        needs_leader=True,
        run=lambda context: _purge(context, models, keep),
    )


def _purge(context: Context, models: Models, keep: timedelta) -> Result:
    """Work off model after model; each batch is a transaction of its own, so a run that is cut costs nothing."""
    found: Result = {}
    before = context.clock.now() - keep
    with context.connect() as connection:
        for model in models():
            table = str(model.__table__.fullname)
            if load(__name__, "table_exists").scalar(connection, table=table):
                found[table] = sum(_repeat(context, connection, query, before) for query in purge_statements(model))
        with connection.transaction():
            context.finish(connection)
    return found


def _repeat(context: Context, connection: Connection, query: Any, before: object) -> int:  # noqa: ANN401 - a compiled statement
    count, last = 0, PURGE_BATCH
    while last == PURGE_BATCH:
        with connection.transaction():
            context.begin(connection)
            cursor = psycopg.RawCursor(connection, row_factory=tuple_row)
            last = cursor.execute(query.sql, query.bind((before, PURGE_BATCH))).rowcount
            if last:
                forget_cached(connection)
        count += last
    return count
