"""What the agent tries: every night one restore with verification, once a week both ways to the same point."""

from datetime import timedelta

from pgkeel.agent.context import Context
from pgkeel.agent.jobs import Job, Result
from pgkeel.backup.recovery.errors import NotRestorable, VerificationFailed
from pgkeel.core.errors import ConfigError
from pgkeel.core.log import get_logger
from pgkeel.core.project import Project
from pgkeel.stack.drilling import drill

__all__ = ["SCHEDULES", "drill_jobs"]

log = get_logger(__name__)

SCHEDULES = {"drill": "0 3 * * 1-6", "drill_both_ways": "0 3 * * 0"}


def drill_jobs(project: Project) -> tuple[Job, ...]:
    """Return the jobs; they need no database, and no other agent runs them twice: each marks what it has restored."""
    return tuple(
        Job(
            name=name,
            schedule=schedule,
            role="monitor",
            deadline=timedelta(hours=6),
            needs_leader=False,
            run=lambda context, both=name == "drill_both_ways": _drill(project, context, both_ways=both),  # type: ignore[misc]
        )
        for name, schedule in SCHEDULES.items()
    )


def _drill(project: Project, context: Context, *, both_ways: bool) -> Result:
    try:
        found = drill(project, report=lambda text: _hear(context, text), both_ways=both_ways)
    except ConfigError as err:  # the identity is kept on another machine, which runs the drills
        return {"evaluated": False, "because": err.message}
    except NotRestorable as err:
        return {"evaluated": False, "because": err.message}
    wrong = [f"{check.name}: {check.detail}" for check in found.checks if check.ok is False]
    if wrong:
        raise VerificationFailed(f"backup {found.backup}: {wrong[0]}", hint="`pgkeel backup drill` tries it again")
    return {"backup": found.backup, "rto_seconds": found.rto_seconds, "rpo_seconds": found.rpo_seconds}


def _hear(context: Context, text: str) -> None:
    context.check()
    log.info("drill.step", step=text)
