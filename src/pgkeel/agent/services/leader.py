"""Hold the leader lock: of all agents of a database, one runs the jobs that must run once.

A session advisory lock: the server lets go of it when the session ends, however that happens, and the next agent takes it.
"""

from datetime import timedelta

from pgkeel.agent.reach import Reach
from pgkeel.agent.services.service import Service
from pgkeel.core.clock import Clock
from pgkeel.core.log import get_logger
from pgkeel.postgres import Connection, load

__all__ = ["Leadership"]

log = get_logger(__name__)

_POLL = timedelta(milliseconds=500)
_BELIEVED = timedelta(seconds=5)


class Leadership:
    """Whether this agent leads; `service` keeps it true."""

    def __init__(self, clock: Clock, *, poll: timedelta = _POLL, believed: timedelta = _BELIEVED) -> None:
        """Lead nothing yet.

        Args:
            clock: The time.
            poll: How often the lock is asked for, and the session proved alive.
            believed: How long a session that does not answer is still believed to hold the lock.
        """
        self._clock = clock
        self._poll = poll
        self._believed = believed
        self._proved: float | None = None

    @property
    def is_held(self) -> bool:
        """Whether the session that holds the lock answered lately."""
        proved = self._proved
        return proved is not None and self._clock.monotonic() - proved < self._believed.total_seconds()

    @property
    def is_stuck(self) -> bool:
        """Whether the session holds the lock but stopped answering: it must be cut, so that another agent may lead."""
        return self._proved is not None and not self.is_held

    @property
    def service(self) -> Service:
        """The service that takes the lock and proves it."""
        return Service("leader", self._keep)

    def _keep(self, reach: Reach) -> None:
        try:
            connection = reach.connect("monitor")
            while not load(__name__, "try_lead").scalar(connection):
                reach.wait(self._poll)
            log.info("leader.taken")
            self._prove(connection, reach)
        finally:
            if self._proved is not None:
                log.warning("leader.lost")
            self._proved = None

    def _prove(self, connection: Connection, reach: Reach) -> None:
        while True:
            asked = self._clock.monotonic()
            load(__name__, "still_here").scalar(connection)
            self._proved = asked
            reach.wait(self._poll)
