"""`pgkeel migrate repair`, `mark` and `rebase`: set right what crashes, hands and merges left behind."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.cli.migrate_options import chosen_sources, options_of
from pgkeel.core import clock
from pgkeel.core.project import Project
from pgkeel.migrations import project_sources
from pgkeel.migrations.mark import mark as mark_as
from pgkeel.migrations.rebase import rebase as rebase_files
from pgkeel.migrations.repair import Repair
from pgkeel.migrations.repair import repair as set_right
from pgkeel.postgres import Connection
from pgkeel.stack.connection import connect

__all__ = ["mark", "rebase", "repair"]

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Print what would be done; change nothing.")
_SOURCE = click.option("--source", default="app", show_default=True, metavar="NAME", help="pgkeel, reference or app.")


@click.command()
@click.option(
    "--accept", multiple=True, metavar="VERSION", help="An edited file that counts as the applied one; --reason says why."
)
@click.option("--reason", default="", metavar="TEXT", help="Why; it is kept in the log.")
@_DRY_RUN
@answers
def repair(accept: tuple[str, ...], reason: str, *, dry_run: bool) -> Answer:
    """Set right INVALID indexes, lost attempts and files that moved; say what a person must do. Exit 1 when something is left."""
    project = current_project()
    options = options_of(project, dry_run=dry_run)
    with _owner(project, "repair") as connection:
        done = set_right(connection, project_sources(project), accept=accept, reason=reason, options=options, report=talk)
    lines = [*map(_line, done.repairs), *map(_line, done.by_hand)]
    word = "to repair" if dry_run else "repaired"
    text = "\n".join([*lines, f"{len(done.repairs)} {word}, {len(done.by_hand)} left to you"])
    return Answer(msgspec.to_builtins(done), text, exit_code=int(bool(done.by_hand)))


def _line(one: Repair) -> str:
    return f"{one.kind}: {one.object}\n    → {one.action}"


@click.command()
@click.argument("version")
@click.argument("state", type=click.Choice(["applied", "reverted"]))
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept in the log.")
@_SOURCE
@_DRY_RUN
@answers
def mark(version: str, state: str, reason: str, source: str, *, dry_run: bool) -> Answer:
    """Record that VERSION was applied, or reverted, by hand. No statement of it is run."""
    project = current_project()
    options = options_of(project, dry_run=dry_run)
    with _owner(project, "mark") as connection:
        done = mark_as(
            connection,
            chosen_sources(project, source)[0],
            version,
            applied=state == "applied",
            reason=reason,
            options=options,
            report=talk,
        )
    said = f"{done.source} {done.version}_{done.name}: {done.before} → {done.after}"
    return Answer(msgspec.to_builtins(done), said if done.is_changed else f"{said}: nothing to do")


@click.command()
@_SOURCE
@_DRY_RUN
@answers
def rebase(source: str, *, dry_run: bool) -> Answer:
    """Give pending files that are older than the newest applied one later versions. Applied files keep theirs."""
    project = current_project()
    with _owner(project, "rebase") as connection:
        moves = rebase_files(connection, chosen_sources(project, source)[0], now=clock.now(), dry_run=dry_run)
    data: dict[str, Any] = {"dry_run": dry_run, "moves": msgspec.to_builtins(moves)}
    return Answer(data, "\n".join(f"{move.old} → {move.new}" for move in moves) or "nothing is out of order")


@contextmanager
def _owner(project: Project, verb: str) -> Iterator[Connection]:
    with closing(connect(project, role="owner", application=f"pgkeel migrate {verb}")) as connection:
        yield connection
