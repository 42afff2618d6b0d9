"""An agent of its own process, as `pgkeel agent run` makes it, with a job that a test can hold open: URL STATE MODE."""

import signal
import sys
from datetime import timedelta
from pathlib import Path

from pgkeel.agent import supervise
from pgkeel.agent.agent import Agent
from pgkeel.agent.context import Context
from pgkeel.agent.jobs import Job, Result
from pgkeel.agent.log import open_log
from pgkeel.agent.reach import Role
from pgkeel.core.config import AgentConfig
from pgkeel.core.url import Url
from pgkeel.postgres import Connection, connect

URL, STATE, MODE = Url.parse(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]


def open_as(role: Role) -> Connection:
    return connect(URL, application=f"agent {role}")


def wait(context: Context) -> Result:
    """Write, start a child, and then take as long as there is no file `go`; in mode `stubborn`, hear nothing."""
    with context.connect() as connection:
        with connection.transaction():
            context.begin(connection)
            connection.execute("INSERT INTO steps VALUES ('begun')")
        child = context.start(["/bin/sleep", "600"])
        (STATE / "child").write_text(str(child.pid))
        while MODE == "stubborn" or not (STATE / "go").exists():
            if MODE == "stubborn":
                signal.sigtimedwait([signal.SIGUSR1], 0.05)
            else:
                context.wait(timedelta(milliseconds=50))
        with connection.transaction():
            context.begin(connection)
            connection.execute("INSERT INTO steps VALUES ('done')")
            context.finish(connection)
    return {}


def work() -> int:
    deadline = timedelta(seconds=1) if MODE == "stubborn" else timedelta(minutes=5)
    job = Job("job", "0 0 1 1 *", "owner", deadline, needs_leader=True, run=wait)
    open_log(STATE / "agent.log")
    agent = Agent(open_as, STATE, AgentConfig(), jobs=[job], grace=timedelta(seconds=1))
    signal.signal(signal.SIGTERM, lambda *_: agent.stop())
    return agent.run()


if __name__ == "__main__":
    sys.exit(supervise(work, STATE))
