"""What a job gets when it runs: its due time, its reach, and the record that keeps a due time from being completed twice."""

from datetime import datetime, timedelta

from pgkeel.agent.reach import Connector, Reach, Role
from pgkeel.core.clock import Clock
from pgkeel.core.config import AgentConfig
from pgkeel.core.errors import KeelError
from pgkeel.postgres import Connection, load

__all__ = ["AlreadyCompleted", "Context"]

_REMEMBERED = timedelta(days=90)


class AlreadyCompleted(KeelError):
    """This due time was completed before, by this agent or another."""

    code = "already_completed"


class Context(Reach):
    """One run of one job.

    Attributes:
        due: The due time that is worked off.
        clock: The time.
        settings: `[agent]`.
    """

    def __init__(
        self, connector: Connector, *, job: str, role: Role, due: datetime, agent: str, clock: Clock, settings: AgentConfig
    ) -> None:
        """Prepare a run; nothing is opened yet."""
        super().__init__(connector)
        self._job = job
        self._role: Role = role
        self._agent = agent
        self.due = due
        self.clock = clock
        self.settings = settings

    def connect(self, role: Role | None = None) -> Connection:
        """Return a connection of the job's role, or of another; see `Reach.connect`."""
        return super().connect(role or self._role)

    def begin(self, connection: Connection) -> None:
        """Record the due time, in the caller's transaction; call it in every transaction in which the job writes.

        Raises:
            AlreadyCompleted: There is nothing left to do.
        """
        self._record("begin_run", connection)

    def finish(self, connection: Connection) -> None:
        """Complete the due time, in the caller's transaction: the last one of the job.

        Raises:
            AlreadyCompleted: Somebody else did meanwhile.
        """
        self._record("finish_run", connection)
        before = self.clock.now() - _REMEMBERED
        load(__name__, "forget_runs").run(connection, job=self._job, due=self.due, before=before)

    def _record(self, query: str, connection: Connection) -> None:
        self.check()
        values = {"job": self._job, "due": self.due, "agent": self._agent, "now": self.clock.now()}
        if load(__name__, query).scalar(connection, **values) is None:
            raise AlreadyCompleted
