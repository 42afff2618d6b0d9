"""Apply a project's migrations as their owner, through the same door as `pgkeel migrate up`."""

from collections.abc import Callable

from msgspec.structs import replace

from pgkeel import migrations
from pgkeel.core.project import Project
from pgkeel.migrations import Options, Outcome, project_sources
from pgkeel.stack.connection import connect

__all__ = ["apply_migrations", "pending_migrations"]


def apply_migrations(project: Project, report: Callable[[str], None]) -> Outcome:
    """Apply what is pending, source after source."""
    with connect(project, "owner", application="pgkeel up") as owner:
        return migrations.up(owner, project_sources(project), Options.of(project.config.migrations), report)


def pending_migrations(project: Project) -> tuple[str, ...]:
    """Return what `apply_migrations` would apply, as `source/version_name`; nothing is written."""
    options = replace(Options.of(project.config.migrations), dry_run=True)
    with connect(project, "owner", application="pgkeel up") as owner:
        outcome = migrations.up(owner, project_sources(project), options)
    return tuple(f"{step.source}/{step.version}_{step.name}" for step in outcome.steps)
