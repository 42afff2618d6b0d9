"""`pgkeel migrate up|down|redo|status`: apply, revert and inspect migrations."""

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from pgkeel import migrations
from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.cli.fleet import Fleet, carried_out, targets
from pgkeel.cli.migrate_options import DATA_LOSS, DRY_RUN, OUT_OF_ORDER, SOURCE, TO, chosen_sources, options_of
from pgkeel.core.errors import Unreachable
from pgkeel.core.telling import Report, counted
from pgkeel.migrations import Options, Outcome, Source, Status
from pgkeel.postgres import Connection

__all__ = ["down", "redo", "status", "up"]


@click.command()
@TO
@OUT_OF_ORDER
@SOURCE
@DRY_RUN
@targets
@answers
def up(name: str | None, to: str | None, *, allow_out_of_order: bool, dry_run: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Apply what is pending; finish what an earlier run left half done."""
    options = options_of(current_project(), to=to, allow_out_of_order=allow_out_of_order, dry_run=dry_run)

    def work(connection: Connection, sources: Sequence[Source], options: Options, report: Report) -> Answer:
        return _answer(migrations.up(connection, sources, options, report))

    return carried_out("up", work, options, Fleet(**where), name, writes=True)


@click.command()
@click.argument("count", type=click.IntRange(min=1), default=1)
@click.option("--to", metavar="VERSION", help="The version that stays; everything newer is reverted. 0 reverts all.")
@DATA_LOSS
@SOURCE
@DRY_RUN
@targets
@answers
def down(name: str | None, to: str | None, *, count: int, allow_data_loss: bool, dry_run: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Revert the newest COUNT migrations of the source `app`, or of another."""
    options = options_of(current_project(), to=to, allow_data_loss=allow_data_loss, dry_run=dry_run)

    def work(connection: Connection, sources: Sequence[Source], options: Options, report: Report) -> Answer:
        return _answer(migrations.down(connection, sources, options, report, count=count))

    return carried_out("down", work, options, Fleet(**where), name or "app")


@click.command()
@DATA_LOSS
@SOURCE
@DRY_RUN
@targets
@answers
def redo(name: str | None, *, allow_data_loss: bool, dry_run: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Revert the newest migration of the source `app`, or of another, and apply its file as it is now."""
    options = options_of(current_project(), allow_data_loss=allow_data_loss, dry_run=dry_run)

    def work(connection: Connection, sources: Sequence[Source], options: Options, report: Report) -> Answer:
        return _answer(migrations.redo(connection, sources, options, report))

    return carried_out("redo", work, options, Fleet(**where), name or "app")


@click.command()
@click.option("--check", is_flag=True, help="Exit 1 when something is pending or was edited.")
@SOURCE
@targets
@answers
def status(name: str | None, *, check: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Show which migrations are applied and which are pending. Where the database cannot be asked, that is not known: exit 3."""

    def work(connection: Connection, sources: Sequence[Source], _: Options, __: Report) -> Answer:
        found = migrations.status(connection, sources)
        is_settled = not found.pending and not any(state.is_edited for state in found.migrations)
        return Answer(_shown(found), _table(found), int(check and not is_settled))

    project = current_project()
    try:
        return carried_out("status", work, options_of(project), Fleet(**where), name)
    except Unreachable as err:
        found = migrations.unknown(chosen_sources(project, name))
        many = counted(len(found.migrations), "migration file")
        message = f"it is not known what is applied of {many}: {err.message}"
        raise Unreachable(message, hint=err.hint, data=_shown(found)) from err


def _shown(found: Status) -> dict[str, Any]:
    is_known = found.is_known
    return {
        "applied": len(found.applied) if is_known else None,
        "pending": len(found.pending) if is_known else None,
        "migrations": msgspec.to_builtins(found.migrations),
    }


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
    text = _plan(outcome) if outcome.dry_run else counted(len(steps), "migration")
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
