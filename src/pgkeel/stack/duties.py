"""Everything that the agent of a project does: its usual jobs, and what keeps its backups and proves them."""

from pgkeel.agent.jobs import Job
from pgkeel.agent.services import Service
from pgkeel.core.project import Project
from pgkeel.stack.protection import is_protected

__all__ = ["jobs_of", "services_of"]


def jobs_of(project: Project) -> tuple[Job, ...]:
    """Return everything that the agent of a project does at set times."""
    from pgkeel.agent.jobs import ALL  # noqa: PLC0415 - needs the extra [agent]

    if not is_protected(project):
        return ALL
    from pgkeel.stack.backup_jobs import backup_jobs  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.stack.drill_jobs import drill_jobs  # noqa: PLC0415 - as above

    return (*ALL, *backup_jobs(project), *drill_jobs(project))


def services_of(project: Project) -> tuple[Service, ...]:
    """Return everything that the agent of a project does without end."""
    if not is_protected(project):
        return ()
    from pgkeel.stack.backup_services import backup_services  # noqa: PLC0415 - needs the extra [backup]

    return backup_services(project)
