"""`pgkeel migrate`: create, apply, revert and inspect migrations."""

from collections.abc import Sequence
from contextlib import closing

import click
import msgspec

from pgkeel import migrations
from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.cli.lint import lint
from pgkeel.cli.migrate_backfill import backfill
from pgkeel.cli.migrate_import import import_
from pgkeel.cli.migrate_new import new
from pgkeel.cli.migrate_repair import REPAIR_COMMANDS
from pgkeel.cli.migrate_schema import SCHEMA_COMMANDS
from pgkeel.core.errors import UsageError
from pgkeel.core.project import Project
from pgkeel.migrations import Options, Outcome, Source, Status
from pgkeel.stack.connection import connect
from pgkeel.stack.sources import sources as sources_of

__all__ = ["migrate"]

_SOURCE = click.option("--source", "name", metavar="NAME", help="Only this source: pgkeel, reference or app.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Print what would run; write nothing.")
_DATA_LOSS = click.option("--allow-data-loss", is_flag=True, help="Revert although tables or columns with rows go.")


@click.group()
def migrate() -> None:
    """Create, apply, revert and inspect migrations."""


for command in (new, import_, backfill, lint, *SCHEMA_COMMANDS, *REPAIR_COMMANDS):
    migrate.add_command(command)


@migrate.command()
@click.option("--to", metavar="VERSION", help="The last version to apply.")
@click.option("--allow-out-of-order", is_flag=True, help="Apply files that are older than the newest applied one.")
@_SOURCE
@_DRY_RUN
@answers
def up(name: str | None, to: str | None, *, allow_out_of_order: bool, dry_run: bool) -> Answer:
    """Apply what is pending; finish what an earlier run left half done."""
    project = current_project()
    options = _options(project, to=to, allow_out_of_order=allow_out_of_order, dry_run=dry_run)
    with closing(connect(project, role="owner", application="pgkeel migrate up")) as connection:
        return _answer(migrations.up(connection, _chosen(project, name), options, talk))


@migrate.command()
@click.argument("count", type=click.IntRange(min=1), default=1)
@click.option("--to", metavar="VERSION", help="The version that stays; everything newer is reverted. 0 reverts all.")
@_DATA_LOSS
@_SOURCE
@_DRY_RUN
@answers
def down(name: str | None, to: str | None, *, count: int, allow_data_loss: bool, dry_run: bool) -> Answer:
    """Revert the newest COUNT migrations of the source `app`, or of another."""
    project = current_project()
    options = _options(project, to=to, allow_data_loss=allow_data_loss, dry_run=dry_run)
    with closing(connect(project, role="owner", application="pgkeel migrate down")) as connection:
        return _answer(migrations.down(connection, _chosen(project, name or "app"), options, talk, count=count))


@migrate.command()
@_DATA_LOSS
@_SOURCE
@answers
def redo(name: str | None, *, allow_data_loss: bool) -> Answer:
    """Revert the newest migration of the source `app`, or of another, and apply its file as it is now."""
    project = current_project()
    options = _options(project, allow_data_loss=allow_data_loss)
    with closing(connect(project, role="owner", application="pgkeel migrate redo")) as connection:
        return _answer(migrations.redo(connection, _chosen(project, name or "app"), options, talk))


@migrate.command()
@click.option("--check", is_flag=True, help="Exit 1 when something is pending or was edited.")
@_SOURCE
@answers
def status(name: str | None, *, check: bool) -> Answer:
    """Show which migrations are applied and which are pending."""
    project = current_project()
    with closing(connect(project, role="owner", application="pgkeel migrate status")) as connection:
        found = migrations.status(connection, _chosen(project, name))
    is_settled = not found.pending and not any(state.is_edited for state in found.migrations)
    shown = {"applied": len(found.applied), "pending": len(found.pending), "migrations": msgspec.to_builtins(found.migrations)}
    return Answer(shown, _table(found), int(check and not is_settled))


def _chosen(project: Project, name: str | None) -> Sequence[Source]:
    known = sources_of(project)
    chosen = [source for source in known if name in {None, source.name}]
    if not chosen:
        raise UsageError(f"there is no source {name}", hint=f"the sources are {', '.join(source.name for source in known)}")
    return chosen


def _options(project: Project, **given: object) -> Options:
    return msgspec.structs.replace(Options.of(project.config.migrations), **given)


def _answer(outcome: Outcome) -> Answer:
    steps = [
        {
            "source": step.source,
            "version": step.version,
            "name": step.name,
            "direction": step.direction,
            "units": step.units,
            "duration_ms": round(step.took.total_seconds() * 1000),
            **({"sql": step.sql} if outcome.dry_run else {}),
        }
        for step in outcome.steps
    ]
    text = _plan(outcome) if outcome.dry_run else f"{len(steps)} migration{'' if len(steps) == 1 else 's'}"
    return Answer({"dry_run": outcome.dry_run, "steps": steps}, text or "nothing to do")


def _plan(outcome: Outcome) -> str:
    titles = (f"-- {step.direction} {step.source} {step.version}_{step.name}" for step in outcome.steps)
    return "\n".join("\n".join([title, *step.sql]) for title, step in zip(titles, outcome.steps, strict=True))


def _table(found: Status) -> str:
    lines = [
        f"{state.state:<8}  {state.source:<9}  {state.version}_{state.name}"
        + ("  edited after it was applied" if state.is_edited else "")
        + ("  file is gone" if state.is_missing else "")
        for state in found.migrations
    ]
    return "\n".join([*lines, f"{len(found.applied)} applied, {len(found.pending)} pending"])
