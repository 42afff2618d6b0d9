"""What the agent does, as anyone may read it: from its own folder, so that it can be read while the database is down."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from pgkeel.agent.state import AgentState, is_locked, read

__all__ = ["JobStatus", "Outcome", "ServiceStatus", "Status", "status"]

Outcome = Literal["ok", "failed", "cancelled", "elsewhere"]


class JobStatus(msgspec.Struct, frozen=True):
    """One job.

    Attributes:
        name: Its name.
        schedule: The cron line in force.
        needs_leader: Whether it runs only on the agent that holds the leader lock.
        running: Whether it runs now.
        last_due: The due time that was completed last, by whichever agent.
        last_started: When it last started here.
        last_finished: When it last ended here, however.
        last_outcome: `ok`, `failed`, `cancelled` (deadline, lost leader, stop) or `elsewhere` (another agent completed it).
        last_error: What went wrong at the last attempt, or None.
        last_result: What the last successful run found.
        next_run: When it is due next.
    """

    name: str
    schedule: str
    needs_leader: bool
    running: bool = False
    last_due: datetime | None = None
    last_started: datetime | None = None
    last_finished: datetime | None = None
    last_outcome: Outcome | None = None
    last_error: str | None = None
    last_result: dict[str, Any] | None = None
    next_run: datetime | None = None


class ServiceStatus(msgspec.Struct, frozen=True):
    """One service.

    Attributes:
        name: Its name.
        running: Whether it runs now; false between a failure and its restart.
        restarts: How often it was started again since the agent started.
        last_error: Why it ended last, or None.
        recovering: Whether it was started again after that and has not proved yet that it works.
        behind_since: When it proved last that it works, or was started, where that is longer ago than it may be.
    """

    name: str
    running: bool
    restarts: int = 0
    last_error: str | None = None
    recovering: bool = False
    behind_since: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it ended with an error and does not work since."""
        return bool(self.last_error) and (self.recovering or not self.running)

    @property
    def is_failing(self) -> bool:
        """Whether it ended so, or runs and comes to no end with what it does."""
        return self.has_ended or self.behind_since is not None


class Status(msgspec.Struct, frozen=True):
    """The whole agent.

    Attributes:
        running: Whether an agent works on this folder now.
        leader: Whether it holds the database's leader lock.
        pid: Process id of the one that signals go to, or None.
        since: When the working process started.
        jobs: All jobs, by name; of a stopped agent, as it left them.
        services: All services, by name; none when stopped.
    """

    running: bool
    leader: bool
    pid: int | None = None
    since: datetime | None = None
    jobs: tuple[JobStatus, ...] = ()
    services: tuple[ServiceStatus, ...] = ()

    @property
    def failing(self) -> tuple[ServiceStatus, ...]:
        """The services that ended with an error and do not work since, or are behind."""
        return tuple(service for service in self.services if service.is_failing)


def status(state: Path) -> Status:
    """Return what the agent of a state folder does; needs neither the database nor the agent.

    Args:
        state: The agent's folder; one that does not exist belongs to an agent that never ran.
    """
    folder = AgentState(state)
    written = read(folder.status, Status) or Status(running=False, leader=False)
    pid = is_locked(folder.lock)
    if pid is None:
        stopped = tuple(msgspec.structs.replace(job, running=False, next_run=None) for job in written.jobs)
        return Status(running=False, leader=False, jobs=stopped)
    return msgspec.structs.replace(written, running=True, pid=pid)
