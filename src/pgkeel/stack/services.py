"""The agent's services of a project, introduced to the sections that they serve."""

from pgkeel.agent.services import Service
from pgkeel.agent.services.outbox import outbox_service, read_handlers
from pgkeel.core.project import Project
from pgkeel.stack import protection

__all__ = ["services_of"]


def services_of(project: Project) -> list[Service]:
    """Return what runs without end beside the agent's jobs.

    Raises:
        ConfigError: A handler of `[agent] handlers` cannot be loaded.
    """
    handlers = read_handlers(project.config.agent.handlers)
    return [*protection.services_of(project), *([outbox_service(handlers)] if handlers else [])]
