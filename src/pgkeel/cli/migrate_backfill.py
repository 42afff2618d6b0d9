"""`pgkeel migrate backfill run|status|pause`: the Backfill sections of applied migrations."""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import click

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.cli.fleet import Fleet, Site, on_each, targets
from pgkeel.cli.groups import Group
from pgkeel.cli.migrate_options import options_of
from pgkeel.core.telling import counted
from pgkeel.core.units import format_duration
from pgkeel.migrations import backfill as backfills
from pgkeel.migrations.backfill import BackfillState, Forecast
from pgkeel.postgres import Connection
from pgkeel.stack.backfill import run_backfills
from pgkeel.stack.connection import connect

__all__ = ["backfill"]

_VERSION = click.argument("version", required=False)
_APPLICATION = "pgkeel migrate backfill"


@click.group(cls=Group)
def backfill() -> None:
    """Change the rows of large tables in small batches, beside the application."""


@backfill.command()
@_VERSION
@click.option("--dry-run", is_flag=True, help="Print what is left to do; write nothing.")
@targets
@answers
def run(version: str | None, *, dry_run: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Run the backfill of VERSION, or all that are neither finished nor paused; exit 1 when one is left."""

    def act(site: Site) -> Answer:
        if not dry_run:
            run_backfills(site.project, version, site.report, source=site.tenant)
        return _seen(site, lambda connection: backfills.chosen(connection, version, site.tenant))

    return on_each(act, options_of(current_project()), Fleet(**where), None)


@backfill.command()
@_VERSION
@click.option("--check", is_flag=True, help="Exit 1 when one has not finished.")
@targets
@answers
def status(version: str | None, *, check: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Show how far each backfill is, how fast it goes, and how long it will take."""

    def act(site: Site) -> Answer:
        found = _seen(site, lambda connection: backfills.chosen(connection, version, site.tenant))
        return Answer(found.data, found.text, found.exit_code if check else 0)

    return on_each(act, options_of(current_project()), Fleet(**where), None)


@backfill.command()
@_VERSION
@click.option("--dry-run", is_flag=True, help="Print which would stop; write nothing.")
@targets
@answers
def pause(version: str | None, *, dry_run: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Stop the backfill of VERSION, or all, before the next batch; `run VERSION` takes it up again."""

    def act(site: Site) -> Answer:
        if dry_run:
            found = _seen(site, lambda connection: backfills.pausable(connection, version, site.tenant))
            return Answer({"dry_run": True, **found.data}, found.text)
        found = _seen(site, lambda connection: backfills.pause(connection, version, site.tenant))
        return Answer({"dry_run": False, **found.data}, found.text)

    return on_each(act, options_of(current_project()), Fleet(**where), None)


def _seen(site: Site, read: Callable[[Connection], Sequence[BackfillState]]) -> Answer:
    with closing(connect(site.project, role="owner", application=_APPLICATION)) as connection:
        return _answer([(state, backfills.forecast(connection, state)) for state in read(connection)])


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
    return f"{state.status:<8}  {seen.share:>4.0%}  {counted(state.rows_done, 'row')}{speed}{left}  {state.title}{error}"
