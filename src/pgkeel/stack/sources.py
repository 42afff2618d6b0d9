"""Whose migrations belong to a project, in the order in which they run."""

from importlib import resources
from pathlib import Path

from pgkeel.core.project import Project
from pgkeel.migrations import Source

__all__ = ["sources"]


def sources(project: Project) -> tuple[Source, ...]:
    """Return our own objects, the design's tables where they are kept, and the team's migrations."""
    reference = (Source("reference", _shipped("schema")),) if project.has_reference_schema else ()
    team = Source("app", project.root / project.config.migrations.directory)
    return (Source("pgkeel", _shipped("postgres")), *reference, team)


def _shipped(room: str) -> Path:
    return Path(str(resources.files("pgkeel").joinpath(room, "migrations")))
