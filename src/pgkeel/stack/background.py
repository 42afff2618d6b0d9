"""The agent of this stack: a Python of its own, started and stopped with the servers."""

import sys

from pgkeel.agent import spawn, status, stop
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.stack.layout import Layout

__all__ = ["ensure_agent", "stop_agent"]


def ensure_agent(project: Project, layout: Layout, report: Report) -> None:
    """Start the agent unless it runs; it outlives us and this terminal.

    Raises:
        NotStarted: It ended before it worked; the message carries what it said.
    """
    if not status(layout.agent).running:
        report("starting the agent")
        # -P: what lies in the folder where somebody types `up`, /tmp perhaps, is not ours to run
        spawn([sys.executable, "-P", "-m", "pgkeel", "-C", str(project.root), "agent", "run"], layout.agent)


def stop_agent(layout: Layout, report: Report) -> None:
    """Stop the agent if it runs."""
    if status(layout.agent).running:
        report("stopping the agent")
        stop(layout.agent)
