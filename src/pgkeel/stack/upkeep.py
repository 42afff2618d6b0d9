"""What the agent of a project does to its own data at set times."""

from typing import TYPE_CHECKING, Any

from pgkeel.core.project import Project

if TYPE_CHECKING:
    from pgkeel.agent.jobs import Job

__all__ = ["upkeep_jobs"]


def upkeep_jobs(project: Project) -> "tuple[Job, ...]":
    """Return the purge of soft-deleted rows, where `[retention] deleted` says how long they are kept."""
    keep = project.config.retention.deleted
    if keep is None:
        return ()
    from pgkeel.agent.jobs.purge_deleted import purge_job  # noqa: PLC0415 - needs the extra [agent]

    return (purge_job(lambda: _models(project), keep),)


def _models(project: Project) -> list[Any]:
    """Return the project's models with a soft delete, loaded when they are needed."""
    from pgkeel.access.purging import soft_deleted_models  # noqa: PLC0415 - SQLAlchemy only where it is used
    from pgkeel.schema.loading import load_base  # noqa: PLC0415 - as above

    return soft_deleted_models(load_base(project.config.schema.models, project.root))
