"""The roles and rights that a project declares."""

from pgkeel.core.project import Project
from pgkeel.security.roles import Declaration

__all__ = ["declaration_of"]


def declaration_of(project: Project) -> Declaration:
    """Return what is declared: `[security]`, and that the agent may follow the WAL where `[cache] publication` wants it.

    Raises:
        ConfigError: A schema is not the team's, or an exception is not a list of privileges.
    """
    decodes = project.config.cache.publication is not None
    return Declaration.of(project.config.security, owns_server=not project.is_external, decodes=decodes)
