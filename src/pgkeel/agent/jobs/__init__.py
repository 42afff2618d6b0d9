"""What the agent does at set times: one job a file."""

from pgkeel.agent.jobs import backfills, forget_once, health, partitions, purge_sessions, refresh_views
from pgkeel.agent.jobs.job import Job, Result

__all__ = ["ALL", "Job", "Result"]

ALL: tuple[Job, ...] = (
    backfills.JOB,
    forget_once.JOB,
    health.JOB,
    partitions.JOB,
    purge_sessions.JOB,
    refresh_views.JOB,
)
