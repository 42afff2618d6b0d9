"""A service and the care for it: it runs in a thread, and is started again 0.1 to 5 s after it failed."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import psycopg

from pgkeel.agent.process import restart_delay
from pgkeel.agent.reach import Connector, Reach
from pgkeel.agent.report import ServiceStatus
from pgkeel.core.clock import Clock
from pgkeel.core.errors import KeelError
from pgkeel.core.log import get_logger
from pgkeel.postgres import describe

__all__ = ["Service", "Supervised"]

log = get_logger(__name__)

_HEALTHY_AFTER = 30.0


class Service(msgspec.Struct, frozen=True):
    """Work without end.

    Attributes:
        name: Its name in the status.
        run: Works until its reach is cancelled; returning or raising earlier is a failure.
        proves: Whether it says by `Reach.prove` that it works; any other works when it runs.
        within: How often it must say so, or it is behind; None is as rarely as it likes.
    """

    name: str
    run: Callable[[Reach], None]
    proves: bool = False
    within: timedelta | None = None


class Supervised:
    """A service's thread and its restarts; `tend` is called by the agent's loop."""

    def __init__(self, service: Service, connector: Connector, clock: Clock) -> None:
        """Prepare; the first `tend` starts it."""
        self._service = service
        self._connector = connector
        self._clock = clock
        self._reach = Reach(connector)
        self._thread: threading.Thread | None = None
        self._began = 0.0
        self._start_at = 0.0
        self._failures = 0
        self._starts = 0
        self._error: str | None = None
        self._proved: tuple[float, datetime] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether its thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def status(self) -> ServiceStatus:
        """Return how it does."""
        recovering = self.is_alive and self._error is not None and self._service.proves and not self._reach.works
        restarts = max(0, self._starts - 1)
        return ServiceStatus(self._service.name, self.is_alive, restarts, self._error, recovering, self._behind_since())

    def tend(self) -> None:
        """Start it when it does not run and its delay is over."""
        now = self._clock.monotonic()
        if self._proved is None or self._reach.take_proof():
            self._proved = now, self._clock.now()
        if self.is_alive:
            return
        if self._thread is not None:
            self._note_failure(now)
        elif now >= self._start_at:
            self._start(now)

    def cancel(self, reason: str) -> None:
        """Take its connections and processes away."""
        self._reach.cancel(reason)

    def _behind_since(self) -> datetime | None:
        allowed = self._service.within
        if allowed is None or self._proved is None:
            return None
        last, since = self._proved
        return since if self._clock.monotonic() - last > allowed.total_seconds() else None

    def _note_failure(self, now: float) -> None:
        self._failures = 0 if now - self._began > _HEALTHY_AFTER else self._failures + 1
        delay = restart_delay(self._failures - 1 if self._failures else 0)
        self._start_at = now + delay.total_seconds()
        self._thread = None
        log.warning("service.ended", service=self._service.name, error=self._error, restart_in=delay / timedelta(seconds=1))

    def _start(self, now: float) -> None:
        self._reach = Reach(self._connector)
        self._began, self._starts = now, self._starts + 1
        self._thread = threading.Thread(target=self._run, args=(self._reach,), name=f"service {self._service.name}", daemon=True)
        self._thread.start()

    def _run(self, reach: Reach) -> None:
        try:
            self._service.run(reach)
            self._error = "it returned"
        except psycopg.Error as err:
            self._error = describe(err)
        except KeelError as err:
            self._error = err.message
        except Exception as err:  # noqa: BLE001 - a service's failure, whatever it is, must not end the agent
            self._error = f"{type(err).__name__}: {err}"
        finally:
            reach.close()
