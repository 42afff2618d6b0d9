"""Run a project's backfills as the owner of its tables; code that they name is found in the project's folder."""

import sys

from pgkeel.core.project import Project
from pgkeel.migrations import Options, backfill
from pgkeel.migrations.backfill import BackfillState, Change
from pgkeel.migrations.options import Report
from pgkeel.stack.connection import connect

__all__ = ["run_backfills"]


def run_backfills(project: Project, version: str | None, report: Report) -> tuple[BackfillState, ...]:
    """Run the backfills of a version, or all, and return where they stand; see `migrations.backfill.run`."""

    def resolve(name: str) -> Change:
        if str(project.root) not in sys.path:
            sys.path.insert(0, str(project.root))
        return backfill.imported(name)

    options = Options.of(project.config.migrations)
    name = "pgkeel migrate backfill"
    with connect(project, "owner", application=name) as connection, connect(project, "monitor", application=name) as monitor:
        return backfill.run(connection, version, resolve=resolve, options=options, report=report, monitor=monitor)
