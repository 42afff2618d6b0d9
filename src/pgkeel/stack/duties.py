"""Everything that the agent of a project does: its jobs, what it tells the handlers, what keeps backups and proves them."""

from pgkeel.agent.jobs import Job
from pgkeel.agent.services import Service
from pgkeel.agent.services.outbox import outbox_service, read_handlers
from pgkeel.core.importing import search_in
from pgkeel.core.project import Project
from pgkeel.stack.audit_service import audit_service
from pgkeel.stack.carrying import carriers_of
from pgkeel.stack.protection import is_protected

__all__ = ["jobs_of", "services_of"]


def jobs_of(project: Project) -> tuple[Job, ...]:
    """Return everything that the agent of a project does at set times."""
    from pgkeel.agent.jobs import ALL  # noqa: PLC0415 - needs the extra [agent]
    from pgkeel.stack.certificate_jobs import certificate_jobs  # noqa: PLC0415 - as above
    from pgkeel.stack.upkeep import upkeep_jobs  # noqa: PLC0415 - as above

    usual = (*ALL, *certificate_jobs(project), *upkeep_jobs(project))
    is_adopted = project.config.backup.engine != "pgkeel"
    if not is_protected(project) and not is_adopted:
        return usual
    from pgkeel.stack.backup_jobs import backup_jobs  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.stack.drill_jobs import drill_jobs  # noqa: PLC0415 - as above

    if is_adopted:
        return (*usual, *drill_jobs(project))
    return (*usual, *backup_jobs(project), *drill_jobs(project))


def services_of(project: Project) -> tuple[Service, ...]:
    """Return everything that the agent of a project does without end.

    Raises:
        ConfigError: A handler of `[agent] handlers` cannot be loaded.
    """
    search_in(project.root, project.root / "src")
    handlers = read_handlers(project.config.agent.handlers)
    delivery = (outbox_service(handlers),) if handlers else ()
    usual = (audit_service(project), *carriers_of(project), *delivery)
    if not is_protected(project):
        return usual
    from pgkeel.stack.backup_services import backup_services  # noqa: PLC0415 - needs the extra [backup]

    return (*usual, *backup_services(project))
