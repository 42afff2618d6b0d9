"""`down`: stop the agent first, for it uses the servers, then Valkey, then PostgreSQL; the data stays."""

from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.stack.background import stop_agent
from pgkeel.stack.folders import explained, is_ours
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.lock import exclusive
from pgkeel.stack.memory import Memory, recall
from pgkeel.stack.postgres import remembered_cluster
from pgkeel.stack.protection import lift_synchrony
from pgkeel.stack.status import Status, status
from pgkeel.stack.valkey import remembered_valkey

__all__ = ["down", "stop_everything"]


def down(project: Project, *, report: Report) -> Status:
    """Stop what `up` started and return what runs then; nothing happens where nothing runs."""
    layout = layout_of(project)
    if is_ours(layout.state):
        with explained(layout.state), exclusive(layout, report):
            stop_agent(layout, report)
            lift_synchrony(project)
            stop_everything(layout, report)
    return status(project)


def stop_everything(layout: Layout, report: Report) -> None:
    """Stop agent and servers; the caller holds the lock."""
    stop_agent(layout, report)
    memory = recall(layout)
    if memory is not None:
        _stop_servers(layout, memory, report)


def _stop_servers(layout: Layout, memory: Memory, report: Report) -> None:
    valkey = remembered_valkey(layout, memory)
    if valkey is not None and valkey.is_running:
        report("stopping Valkey")
        valkey.stop()
    cluster = remembered_cluster(layout, memory)
    if cluster is not None and cluster.is_running:
        report("stopping PostgreSQL")
        cluster.stop()
