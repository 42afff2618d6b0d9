"""What the agent tries: every night one restore with verification, once a week both ways to the same point."""

from datetime import datetime, timedelta

from pgkeel.agent.context import Context
from pgkeel.agent.jobs import Job, Result
from pgkeel.backup.marks import read_marks
from pgkeel.backup.recovery.errors import NotRestorable, VerificationFailed
from pgkeel.core.errors import ConfigError
from pgkeel.core.log import get_logger
from pgkeel.core.project import Project
from pgkeel.stack.drilling import drill
from pgkeel.stack.vault import repositories_of

__all__ = ["SCHEDULES", "drill_jobs", "turn_of"]

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
    source = turn_of(project, context.due)
    try:
        found = drill(project, report=lambda text: _hear(context, text), source=source, both_ways=both_ways)
    except ConfigError as err:  # the identity is kept on another machine, which runs the drills
        return {"evaluated": False, "because": err.message, "verified_at": _verified_at(project)}
    except NotRestorable as err:
        return {"backup": None, "because": err.message}
    wrong = [f"{check.name}: {check.detail}" for check in found.checks if check.ok is False]
    if wrong:
        raise VerificationFailed(f"backup {found.backup}: {wrong[0]}", hint="`pgkeel backup drill` tries it again")
    return {
        "backup": found.backup,
        "repository": found.repository,
        "rto_seconds": found.rto_seconds,
        "rpo_seconds": found.rpo_seconds,
    }


def turn_of(project: Project, due: datetime) -> str | None:
    """Return the repository whose turn it is: each one is tried, the copy elsewhere as often as the one at hand."""
    names = list(project.config.backup.repositories)
    return names[due.toordinal() % len(names)] if names else None


def _verified_at(project: Project) -> str | None:
    """Return when a backup was verified last, by whomever; no key is needed to read that."""
    times = [at for repository in repositories_of(project) for at in read_marks(repository).verified_at.values()]
    return max(times).isoformat() if times else None


def _hear(context: Context, text: str) -> None:
    context.check()
    log.info("drill.step", step=text)
