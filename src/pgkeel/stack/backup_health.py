"""What a person should know about the backups, read from what the agent wrote down: it needs no database."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from pgkeel.agent import JobStatus, Status

__all__ = ["backup_warnings", "receives", "works"]

_LATE: Mapping[str, timedelta] = {"backup_full": timedelta(hours=26), "backup_incremental": timedelta(hours=2)}
_NEVER = datetime.min.replace(tzinfo=UTC)
_DRILLS = ("drill", "drill_both_ways")
_VERIFIED, _DRILLED = timedelta(hours=26), timedelta(hours=50)  # on Sundays the other drill runs
_CURE = "put that right, and the agent starts it again by itself"
_CURES = dict.fromkeys(("wal_copier", "backup_copier"), f"until it does, nothing new reaches the geo copy: {_CURE}")
_SERVICES = ("wal_receiver", "wal_archiver", "wal_copier", "backup_copier")


def backup_warnings(agent: Status, now: datetime) -> tuple[str, ...]:
    """Return what is wrong with the backups: runs that failed or were missed, services that do not run.

    Args:
        agent: What the agent does.
        now: UTC.
    """
    return (*_of_jobs(agent, now), *_of_gaps(agent), *_of_drills(agent, now), *_of_services(agent))


def receives(agent: Status) -> bool:
    """Return whether WAL is being received."""
    return any(service.name == "wal_receiver" and service.running for service in agent.services)


def works(agent: Status) -> bool:
    """Return whether no service that keeps backups or their copies is down."""
    return not any(service.name in _SERVICES for service in agent.failing)


def _of_jobs(agent: Status, now: datetime) -> Iterator[str]:
    for job in (job for job in agent.jobs if job.name.startswith("backup_")):
        if job.last_outcome in {"failed", "cancelled"} and job.last_error:
            yield f"{job.name} {job.last_outcome}: {job.last_error}"
        elif _is_late(job, now):
            since = f"since {job.last_due:%Y-%m-%d %H:%M}Z" if job.last_due else "yet"
            yield f"{job.name} has not been completed {since}"


def _of_gaps(agent: Status) -> Iterator[str]:
    """Say once what the newest run of the hourly and of the daily backup found missing."""
    runs = sorted((job for job in agent.jobs if job.name in _LATE), key=lambda job: job.last_finished or _NEVER)
    gap = (runs[-1].last_result or {}).get("gap") if runs else None
    if gap:
        yield f"WAL is missing {gap}: no moment in there can be restored; `pgkeel backup list` shows which can"


def _of_drills(agent: Status, now: datetime) -> Iterator[str]:
    for job in (job for job in agent.jobs if job.name in _DRILLS):
        result = job.last_result or {}
        at = result.get("verified_at")
        if job.last_outcome == "failed" and job.last_error:
            yield f"no verified backup: {job.name} failed: {job.last_error}"
        elif result.get("evaluated") is False and (not at or now - datetime.fromisoformat(str(at)) > _VERIFIED):
            yield f"no verified backup{f' since {at}' if at else ''}: {job.name} was not evaluated: {result.get('because')}"
        elif job.name == "drill" and job.last_due is not None and now - job.last_due > _DRILLED:
            yield f"no verified backup: drill has not been completed since {job.last_due:%Y-%m-%d %H:%M}Z"


def _is_late(job: JobStatus, now: datetime) -> bool:
    allowed = _LATE.get(job.name)
    return allowed is not None and job.last_due is not None and now - job.last_due > allowed


def _of_services(agent: Status) -> Iterator[str]:
    for service in agent.failing:
        since = f"{service.behind_since:%Y-%m-%d %H:%M:%S}Z" if service.behind_since else ""
        if service.name in _SERVICES and service.has_ended:
            state = "is tried again" if service.running else "does not run"
            lag = f"nothing was shipped since {since}; " if since else ""
            yield f"{service.name} {state}: {service.last_error}; {lag}{_CURES.get(service.name, _CURE)}"
        elif service.name in _SERVICES:
            yield f"{service.name} is behind: it has come to no end since {since}; the repository is slow, or does not answer"
