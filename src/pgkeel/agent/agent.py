"""The agent's loop: it starts what is due, keeps deadlines, tends the services, and writes down what it does."""

import os
import socket
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from pgkeel.agent.attempt import Attempt
from pgkeel.agent.context import Context
from pgkeel.agent.jobs import ALL, Job
from pgkeel.agent.reach import Connector
from pgkeel.agent.report import JobStatus, Status
from pgkeel.agent.schedule import read_schedules
from pgkeel.agent.services import Service, Supervised
from pgkeel.agent.services.leader import Leadership
from pgkeel.agent.state import AgentState, read, write
from pgkeel.agent.stopping import Stopping
from pgkeel.core.clock import Clock, SystemClock
from pgkeel.core.config import AgentConfig
from pgkeel.core.ids import random_id
from pgkeel.core.log import get_logger

__all__ = ["OVERSTAYED", "Agent"]

log = get_logger(__name__)

OVERSTAYED = 75  # exit code: a thread cannot be ended, start me again
_TICK = timedelta(milliseconds=100)
_GRACE = timedelta(seconds=5)
_FIRST_RETRY, _LAST_RETRY = 5.0, 300.0


class _Runs(msgspec.Struct, frozen=True):
    """What `runs.json` holds."""

    jobs: dict[str, JobStatus] = {}


class Agent:
    """Runs jobs and services on one state folder until it is stopped."""

    def __init__(
        self,
        connector: Connector,
        state: Path,
        settings: AgentConfig,
        *,
        clock: Clock | None = None,
        jobs: Sequence[Job] = ALL,
        services: Sequence[Service] = (),
        grace: timedelta = _GRACE,
    ) -> None:
        """Read schedules and what was done before; nothing runs yet.

        Args:
            connector: Opens a connection of a role.
            state: The agent's folder.
            settings: `[agent]`.
            clock: The time.
            jobs: What runs at set times.
            services: What runs without end, beside the keeper of the leader lock.
            grace: How long a cancelled thread may take to end before the agent itself ends.

        Raises:
            ConfigError: A schedule or the time zone is wrong.
        """
        self._schedules = read_schedules({job.name: job.schedule for job in jobs}, settings.schedules, settings.time_zone)
        self._connector, self._settings, self._grace = connector, settings, grace
        self._clock = clock or SystemClock()
        self._folder = AgentState(state)
        self._name = f"{socket.gethostname()}:{os.getpid()}:{random_id().hex[:8]}"
        self._jobs: Mapping[str, Job] = {job.name: job for job in jobs}
        self._leadership = Leadership(self._clock)
        self._leader = Supervised(self._leadership.service, connector, self._clock)
        self._services = [self._leader, *(Supervised(service, connector, self._clock) for service in services)]
        self._attempts: dict[str, Attempt] = {}
        self._failures: dict[str, int] = {}
        self._retry_at: dict[str, float] = {}
        self._stopping = Stopping()
        self._since = self._clock.now()
        self._written: Status | None = None
        self._dues: dict[str, tuple[datetime, datetime]] = {}
        self._records = self._remembered()

    def stop(self) -> None:
        """Ask it to end; may be called from a signal handler or another thread."""
        self._stopping.set()

    def run(self) -> int:
        """Work until `stop`; return 0, or `OVERSTAYED` when a thread cannot be ended."""
        self._folder.make()
        log.info("agent.started", agent=self._name)
        parent = os.getppid()
        while not self._stopping.is_set() and os.getppid() == parent:
            self._tick()
            if any(attempt.has_overstayed(self._grace) for attempt in self._attempts.values()):
                log.error("agent.overstayed", jobs=[name for name, attempt in self._attempts.items() if attempt.is_alive])
                return OVERSTAYED
            self._stopping.wait(_TICK.total_seconds())
        return self._end()

    def _tick(self) -> None:
        for service in self._services:
            service.tend()
        if self._leadership.is_stuck:
            self._leader.cancel("the leader session does not answer")
        leads = self._leadership.is_held
        for name, attempt in list(self._attempts.items()):
            self._watch(name, attempt, leads=leads)
        for name in self._jobs.keys() - self._attempts.keys():
            self._start_if_due(name, leads=leads)
        self._write_status(leads=leads)

    def _watch(self, name: str, attempt: Attempt, *, leads: bool) -> None:
        if not attempt.is_alive:
            del self._attempts[name]
            self._note(name, attempt)
        elif attempt.is_late:
            attempt.cancel(f"its deadline of {attempt.job.deadline} has passed")
        elif attempt.job.needs_leader and not leads:
            attempt.cancel("the leader lock was lost")

    def _start_if_due(self, name: str, *, leads: bool) -> None:
        job, record = self._jobs[name], self._records[name]
        if job.needs_leader and not leads:
            return
        if self._clock.monotonic() < self._retry_at.get(name, 0.0):
            return
        due, following = self._latest_and_next(name)
        done = record.last_due
        if done is None or due > done or done > following:  # the last: a clock that was ahead came back
            self._start(job, due)

    def _start(self, job: Job, due: datetime) -> None:
        context = Context(
            self._connector,
            job=job.name,
            role=job.role,
            due=due,
            agent=self._name,
            clock=self._clock,
            settings=self._settings,
        )
        self._attempts[job.name] = Attempt(job, context, self._clock)
        self._remember(job.name, last_started=self._attempts[job.name].started)

    def _note(self, name: str, attempt: Attempt) -> None:
        is_done = attempt.outcome in {"ok", "elsewhere"}
        failures = self._failures[name] = 0 if is_done else self._failures.get(name, 0) + 1
        delay = min(_LAST_RETRY, _FIRST_RETRY * 2 ** (failures - 1)) if failures else 0.0
        self._retry_at[name] = self._clock.monotonic() + delay
        write_line = log.info if is_done else log.error
        write_line("job.ended", job=name, outcome=attempt.outcome, error=attempt.error, result=attempt.result)
        old = self._records[name]
        self._remember(
            name,
            last_due=attempt.due if is_done else old.last_due,
            last_finished=self._clock.now(),
            last_outcome=attempt.outcome or "cancelled",
            last_error=attempt.error,
            last_result=attempt.result if attempt.outcome == "ok" else old.last_result,
        )

    def _remembered(self) -> dict[str, JobStatus]:
        runs = read(self._folder.runs, _Runs) or _Runs()
        records = {}
        for name, job in self._jobs.items():
            fresh = JobStatus(name, self._schedules[name].line, job.needs_leader)
            old = runs.jobs.get(name, fresh)
            records[name] = msgspec.structs.replace(old, schedule=fresh.schedule, needs_leader=fresh.needs_leader)
        return records

    def _remember(self, name: str, **changes: object) -> None:
        self._records[name] = msgspec.structs.replace(self._records[name], **changes)
        write(self._folder.runs, _Runs(self._records))

    def _write_status(self, *, leads: bool) -> None:
        jobs = tuple(self._job_status(name) for name in sorted(self._jobs))
        services = tuple(service.status() for service in self._services)
        current = Status(running=True, leader=leads, since=self._since, jobs=jobs, services=services)
        if current != self._written:
            write(self._folder.status, current)
            self._written = current

    def _job_status(self, name: str) -> JobStatus:
        _, following = self._latest_and_next(name)
        return msgspec.structs.replace(self._records[name], running=name in self._attempts, next_run=following)

    def _latest_and_next(self, name: str) -> tuple[datetime, datetime]:
        """Return the due times around now; reckoned again only when now has left them, be it backwards."""
        now = self._clock.now()
        latest, following = self._dues.get(name, (now, now))
        if not latest <= now < following:
            schedule = self._schedules[name]
            latest, following = self._dues[name] = (schedule.latest(now), schedule.following(now))
        return latest, following

    def _end(self) -> int:
        log.info("agent.stopping")
        for attempt in self._attempts.values():
            attempt.cancel("the agent was stopped")
        for service in self._services:
            service.cancel("the agent was stopped")
        until = self._clock.monotonic() + self._grace.total_seconds()
        while self._is_busy() and self._clock.monotonic() < until:
            threading.Event().wait(0.02)
        for name, attempt in self._attempts.items():
            self._note(name, attempt)
        self._attempts.clear()
        self._write_status(leads=False)
        log.info("agent.stopped")
        return 0

    def _is_busy(self) -> bool:
        return any(attempt.is_alive for attempt in self._attempts.values()) or any(each.is_alive for each in self._services)
