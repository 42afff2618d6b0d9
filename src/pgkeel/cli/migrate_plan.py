"""`pgkeel migrate plan|trace|test`: what `up` would do, foreseen or rehearsed on a copy."""

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.cli.fleet import Fleet, Site, carried_out, on_each, targets
from pgkeel.cli.migrate_options import OUT_OF_ORDER, SOURCE, TO, options_of
from pgkeel.core.errors import UsageError
from pgkeel.core.telling import Report
from pgkeel.migrations import Options, Source, project_sources
from pgkeel.migrations.impact.preview import preview
from pgkeel.migrations.impact.text import preview_data, preview_text
from pgkeel.migrations.roundtrip import RoundTrip
from pgkeel.postgres import Connection
from pgkeel.stack.rehearse import trace_pending, try_all, try_pending

__all__ = ["plan", "test", "trace"]


@click.command()
@click.option("--check", is_flag=True, help="Exit 1 when something is pending.")
@TO
@OUT_OF_ORDER
@SOURCE
@targets
@answers
def plan(name: str | None, to: str | None, *, check: bool, allow_out_of_order: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Show what `up` would do: units, locks, waits, rewrites and reads, weighed by the tables' sizes. Nothing is written.

    The locks are those that the statements' text promises (`pgkeel[lint]` reads it); `trace` sees the real ones.
    """
    options = options_of(current_project(), to=to, allow_out_of_order=allow_out_of_order)

    def work(connection: Connection, sources: Sequence[Source], options: Options, _: Report) -> Answer:
        found = preview(connection, sources, options)
        return Answer(preview_data(found), preview_text(found), int(check and bool(found.migrations)))

    return carried_out("plan", work, options, Fleet(**where), name)


@click.command()
@TO
@OUT_OF_ORDER
@SOURCE
@targets
@answers
def trace(name: str | None, to: str | None, *, allow_out_of_order: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Run what is pending on a copy of the schema and show the locks it really takes, weighed by the database's own sizes.

    The copy has no rows, on a server of its own that is gone afterwards. Exit 1 when a statement fails there, or holds
    readers or writers of a table off for as long as its rows are read or written. ≠ marks where the server does something
    else than the statement's text promises.
    """
    options = options_of(current_project(), to=to, allow_out_of_order=allow_out_of_order)

    def act(site: Site) -> Answer:
        found = trace_pending(site.project, site.sources, site.options)
        return Answer(preview_data(found), preview_text(found), int(found.failure is not None or bool(found.stops)))

    return on_each(act, options, Fleet(**where), name)


@click.command()
@click.option("--all", "everything", is_flag=True, help="Every migration of the source, from an empty database on.")
@OUT_OF_ORDER
@SOURCE
@targets
@answers
def test(name: str | None, *, everything: bool, allow_out_of_order: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Try every Down before it is needed: up, down, up on a copy, and compare what is there after each step.

    Tried is what is pending, on a copy of the schema; with --all every migration of `app`, or of --source, and the database
    need not run. Exit 1 when an Up or Down fails, when a Down leaves something behind or takes too much, or when the second
    Up makes something else than the first. What a Down drops is named: it needs --allow-data-loss where that holds rows.
    """
    fleet, options = Fleet(**where), options_of(current_project(), allow_out_of_order=allow_out_of_order)
    if everything and fleet.path is not None:
        raise UsageError("--all starts from an empty database, the same for every target", hint="leave --targets out")

    def act(site: Site) -> Answer:
        if everything:
            return _tried(try_all(site.project, project_sources(site.project), name or "app", site.options, site.report))
        return _tried(try_pending(site.project, site.sources, site.options, site.report))

    return on_each(act, options, fleet, name)


def _tried(found: Sequence[RoundTrip]) -> Answer:
    slips = sum(len(trip.slips) for trip in found)
    data = {"tested": len(found), "findings": slips, "migrations": msgspec.to_builtins(found)}
    return Answer(data, _trips_text(found), int(bool(slips)))


def _trips_text(found: Sequence[RoundTrip]) -> str:
    lines: list[str] = []
    for trip in found:
        why = f": {trip.reason}" if trip.reason else ""
        lines.append(f"{trip.result:<12}  {trip.source} {trip.version}_{trip.name}{why}")
        lines += [f"    its Down drops {name}" for name in trip.loses]
        for slip in trip.slips:
            lines += [f"    {slip.code}: {slip.message}", *(f"      {one}" for one in slip.differences)]
    failed = sum(bool(trip.slips) for trip in found)
    return "\n".join([*lines, f"{len(found)} tested, {failed} failed" if found else "nothing is pending; --all tests every one"])
