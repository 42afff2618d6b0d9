"""What the agent of a project does to its own data at set times."""

from typing import TYPE_CHECKING

from pgkeel.core.project import Project
from pgkeel.stack.models import soft_deleted_models_of

if TYPE_CHECKING:
    from pgkeel.agent.jobs import Job

__all__ = ["upkeep_jobs"]


def upkeep_jobs(project: Project) -> "tuple[Job, ...]":
    """Return the purge of soft-deleted rows, where `[retention] deleted` says how long they are kept."""
    keep = project.config.retention.deleted
    if keep is None:
        return ()
    from pgkeel.agent.jobs.purge_deleted import purge_job  # noqa: PLC0415 - needs the extra [agent]

    return (purge_job(lambda: soft_deleted_models_of(project), keep),)
