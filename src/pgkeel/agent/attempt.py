"""One run of a job in a thread of its own, with a deadline that is kept from outside."""

import threading
from datetime import datetime, timedelta

import psycopg

from pgkeel.agent.context import AlreadyCompleted, Context
from pgkeel.agent.jobs.job import Job, Result
from pgkeel.agent.report import Outcome
from pgkeel.core.clock import Clock
from pgkeel.core.errors import KeelError
from pgkeel.core.log import get_logger
from pgkeel.postgres import describe

__all__ = ["Attempt"]

log = get_logger(__name__)


class Attempt:
    """A job's thread.

    Attributes:
        job: What runs.
        due: The due time that it works off.
        started: When it started.
        outcome: How it ended; None while it runs.
        error: What went wrong, or None.
        result: What it found.
    """

    def __init__(self, job: Job, context: Context, clock: Clock) -> None:
        """Start the thread."""
        self.job = job
        self.due: datetime = context.due
        self.started: datetime = clock.now()
        self.outcome: Outcome | None = None
        self.error: str | None = None
        self.result: Result | None = None
        self._context = context
        self._clock = clock
        self._began = clock.monotonic()
        self._cancelled_at: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"job {job.name}", daemon=True)
        log.info("job.started", job=job.name, due=context.due.isoformat())
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread still lives."""
        return self._thread.is_alive()

    @property
    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return self._clock.monotonic() - self._began > self.job.deadline.total_seconds()

    def cancel(self, reason: str) -> None:
        """Take its connections and processes away, once."""
        if self._cancelled_at is None:
            self._cancelled_at = self._clock.monotonic()
            log.warning("job.cancelled", job=self.job.name, reason=reason)
            self._context.cancel(reason)

    def has_overstayed(self, grace: timedelta) -> bool:
        """Return whether the thread lives on although it was cancelled longer ago than `grace`."""
        if self._cancelled_at is None or not self.is_alive:
            return False
        return self._clock.monotonic() - self._cancelled_at > grace.total_seconds()

    def _run(self) -> None:
        outcome: Outcome = "failed"
        try:
            self.result = self.job.run(self._context)
            outcome = "ok"
        except AlreadyCompleted:
            outcome = "elsewhere"
        except Exception as err:  # noqa: BLE001 - a job's failure, whatever it is, must not end the agent
            self.error = self._context.reason or _text(err)
            outcome = "cancelled" if self._context.reason else "failed"
        finally:
            self._context.close()
            self.outcome = outcome


def _text(err: Exception) -> str:
    match err:
        case psycopg.Error():
            return describe(err)
        case KeelError():
            return err.message
        case _:
            return f"{type(err).__name__}: {err}"
