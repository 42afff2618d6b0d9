"""`pgkeel migrate`: create, apply, revert and inspect migrations."""

import click

from pgkeel.cli.groups import LazyGroup

__all__ = ["migrate"]

_VERBS = {
    "new": "pgkeel.cli.migrate_new:new",
    "up": "pgkeel.cli.migrate_run:up",
    "down": "pgkeel.cli.migrate_run:down",
    "redo": "pgkeel.cli.migrate_run:redo",
    "status": "pgkeel.cli.migrate_run:status",
    "plan": "pgkeel.cli.migrate_plan:plan",
    "lint": "pgkeel.cli.lint:lint",
    "trace": "pgkeel.cli.migrate_plan:trace",
    "test": "pgkeel.cli.migrate_plan:test",
    "backfill": "pgkeel.cli.migrate_backfill:backfill",
    "verify": "pgkeel.cli.migrate_schema:verify",
    "diff": "pgkeel.cli.migrate_schema:diff",
    "dump": "pgkeel.cli.migrate_schema:dump",
    "load": "pgkeel.cli.migrate_schema:load",
    "baseline": "pgkeel.cli.migrate_schema:baseline",
    "squash": "pgkeel.cli.migrate_schema:squash",
    "repair": "pgkeel.cli.migrate_repair:repair",
    "mark": "pgkeel.cli.migrate_repair:mark",
    "rebase": "pgkeel.cli.migrate_repair:rebase",
    "import": "pgkeel.cli.migrate_import:import_",
}


@click.group(cls=LazyGroup, places=_VERBS)
def migrate() -> None:
    """Create, apply, revert and inspect migrations."""
