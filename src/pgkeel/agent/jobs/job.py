"""What a job says about itself."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from pgkeel.agent.context import Context
from pgkeel.agent.reach import Role

__all__ = ["Job", "Result"]

Result = dict[str, Any]


class Job(msgspec.Struct, frozen=True):
    """Work that is due at set times.

    Attributes:
        name: Its name in `[agent] schedules` and in the status.
        schedule: Its cron line, read in `[agent] time_zone`.
        role: The role of its connections.
        deadline: How long a run may take before it is cancelled.
        needs_leader: Whether only the agent that holds the leader lock runs it.
        run: Does the work and returns what it found; safe to repeat, whatever instant it was cut at.
    """

    name: str
    schedule: str
    role: Role
    deadline: timedelta
    needs_leader: bool
    run: Callable[[Context], Result]
