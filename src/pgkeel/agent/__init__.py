"""The process that keeps the promises: jobs on a schedule, services without end, and a status that needs no database."""

from pgkeel.agent.process import NotStarted, restart_delay, spawn, stop, supervise
from pgkeel.agent.report import JobStatus, ServiceStatus, Status, status
from pgkeel.agent.state import AgentRuns

# `Agent` itself lives in `pgkeel.agent.agent`: it needs the extra [agent]; starting, stopping and looking do not.
__all__ = [
    "AgentRuns",
    "JobStatus",
    "NotStarted",
    "ServiceStatus",
    "Status",
    "restart_delay",
    "spawn",
    "status",
    "stop",
    "supervise",
]
