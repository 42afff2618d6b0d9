"""`pgkeel migrate backfill run|status|pause`: the Backfill sections of applied migrations."""

from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta

import click

from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.core.units import format_duration
from pgkeel.migrations import backfill as backfills
from pgkeel.migrations.backfill import BackfillState, Forecast
from pgkeel.stack.backfill import run_backfills
from pgkeel.stack.connection import connect

__all__ = ["backfill"]

_VERSION = click.argument("version", required=False)
_APPLICATION = "pgkeel migrate backfill"


@click.group()
def backfill() -> None:
    """Change the rows of large tables in small batches, beside the application."""


@backfill.command()
@_VERSION
@click.option("--dry-run", is_flag=True, help="Print what is left to do; write nothing.")
@answers
def run(version: str | None, *, dry_run: bool) -> Answer:
    """Run the backfill of VERSION, or all that are neither finished nor paused; exit 1 when one is left."""
    project = current_project()
    if not dry_run:
        run_backfills(project, version, talk)
    with closing(connect(project, role="owner", application=_APPLICATION)) as connection:
        return _answer([(state, backfills.forecast(connection, state)) for state in backfills.chosen(connection, version)])


@backfill.command()
@_VERSION
@click.option("--check", is_flag=True, help="Exit 1 when one has not finished.")
@answers
def status(version: str | None, *, check: bool) -> Answer:
    """Show how far each backfill is, how fast it goes, and how long it will take."""
    with closing(connect(current_project(), role="owner", application=_APPLICATION)) as connection:
        found = _answer([(state, backfills.forecast(connection, state)) for state in backfills.chosen(connection, version)])
    return Answer(found.data, found.text, found.exit_code if check else 0)


@backfill.command()
@_VERSION
@answers
def pause(version: str | None) -> Answer:
    """Stop the backfill of VERSION, or all, before the next batch; `run VERSION` takes it up again."""
    with closing(connect(current_project(), role="owner", application=_APPLICATION)) as connection:
        found = _answer([(state, backfills.forecast(connection, state)) for state in backfills.pause(connection, version)])
    return Answer(found.data, found.text)


def _answer(found: Sequence[tuple[BackfillState, Forecast]]) -> Answer:
    is_done = all(state.status == "finished" for state, _ in found)
    text = "\n".join(_line(state, seen) for state, seen in found) or "no migration has a backfill"
    return Answer({"backfills": [_shown(state, seen) for state, seen in found]}, text, 0 if is_done else 1)


def _shown(state: BackfillState, seen: Forecast) -> dict[str, object]:
    return {
        "source": state.source,
        "version": state.version,
        "number": state.number,
        "table": state.options["table"],
        "status": state.status,
        "last_key": state.last_key,
        "rows_done": state.rows_done,
        "share": seen.share,
        "rows_per_second": seen.rate,
        "left_s": None if seen.left is None else round(seen.left.total_seconds()),
        "error": state.error,
    }


def _line(state: BackfillState, seen: Forecast) -> str:
    speed = f"  {seen.rate:,.0f} rows/s" if seen.rate else ""
    is_moving = seen.left is not None and state.status != "finished"
    left = f"  {format_duration(timedelta(seconds=round(seen.left.total_seconds())))} left" if seen.left and is_moving else ""
    error = f"  {state.error}" if state.error else ""
    return f"{state.status:<8}  {seen.share:>4.0%}  {state.rows_done:,} rows{speed}{left}  {state.title}{error}"
