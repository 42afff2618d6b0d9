"""Apply a project's migrations as their owner, through the same door as `pgkeel migrate up`."""

from msgspec.structs import replace

from pgkeel import migrations
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.migrations import Options, Outcome, project_sources
from pgkeel.migrations.errors import BackfillMissing, NotReady
from pgkeel.stack.backfill import run_backfills, seal_rest
from pgkeel.stack.connection import connect

__all__ = ["apply_migrations", "pending_migrations"]

_ROUNDS = 3


def apply_migrations(project: Project, report: Report) -> Outcome:
    """Apply what is pending, source after source; where one waits for rows to be sealed, its backfill runs first.

    Raises:
        Refused: Rows were still written in their old form after several rounds.
    """
    for _ in range(_ROUNDS):
        try:
            outcome = _apply(project, report)
        except (BackfillMissing, NotReady):
            report("running the backfills that a migration waits for")
            run_backfills(project, None, report)
        else:
            seal_rest(project, report)
            return outcome
    return _apply(project, report)


def _apply(project: Project, report: Report) -> Outcome:
    with connect(project, "owner", application="pgkeel up") as owner:
        return migrations.up(owner, project_sources(project), Options.of(project.config.migrations), report)


def pending_migrations(project: Project) -> tuple[str, ...]:
    """Return what `apply_migrations` would apply, as `source/version_name`; nothing is written."""
    options = replace(Options.of(project.config.migrations), dry_run=True)
    with connect(project, "owner", application="pgkeel up") as owner:
        outcome = migrations.up(owner, project_sources(project), options)
    return tuple(f"{step.source}/{step.version}_{step.name}" for step in outcome.steps)
