"""Compute the materialised views of `[agent] refresh` again, beside their readers where a unique index allows it."""

from datetime import timedelta

from psycopg import sql

from pgkeel.agent.context import Context
from pgkeel.agent.jobs.job import Job, Result
from pgkeel.core.log import get_logger
from pgkeel.postgres import Connection, load

__all__ = ["JOB"]

log = get_logger(__name__)


def refresh(context: Context) -> Result:
    """Refresh view after view, each in a transaction of its own; one that is not there is told, and the others go on."""
    outcome: dict[str, str] = {}
    with context.connect() as connection:
        for view in context.settings.refresh:
            outcome[view] = _refresh(context, connection, view)
        with connection.transaction():
            context.finish(connection)
    missing = [view for view, how in outcome.items() if how == "missing"]
    if missing:
        log.warning("views.missing", views=missing, hint="name materialised views in [agent] refresh")
    return {"views": outcome}


def _refresh(context: Context, connection: Connection, view: str) -> str:
    with connection.transaction():
        context.begin(connection)
        found = load(__name__, "materialised_view").row(connection, view=view)
        if found is None:
            return "missing"
        name = sql.Identifier(found["schema"], found["name"])
        statement = "refresh_view_concurrently" if found["is_concurrent"] else "refresh_view"
        load(__name__, statement).named(view=name).run(connection)
        return "concurrently" if found["is_concurrent"] else "alone"


JOB = Job(
    name="refresh_views", schedule="*/15 * * * *", role="owner", deadline=timedelta(minutes=30), needs_leader=True, run=refresh
)
