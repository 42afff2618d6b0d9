"""What the agent does for certificates at set times: a stack that nobody types `up` for keeps its TLS all the same."""

from datetime import timedelta

from pgkeel.agent.jobs import Job
from pgkeel.core.log import get_logger
from pgkeel.core.project import Project
from pgkeel.stack.tls import keep_tls

__all__ = ["certificate_jobs"]

log = get_logger(__name__)


def certificate_jobs(project: Project) -> tuple[Job, ...]:
    """Return the daily renewal of what is near its end; pgkeel keeps no certificate of an external server."""
    if project.is_external:
        return ()
    job = Job(
        name="renew_certificates",
        schedule="17 3 * * *",
        role="monitor",
        deadline=timedelta(minutes=10),
        needs_leader=False,
        run=lambda _: {"renewed": keep_tls(project, lambda text: log.info("tls.step", step=text))},
    )
    return (job,)
