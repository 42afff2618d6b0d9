"""`--targets FILE`: a verb of `pgkeel migrate` on many databases and schemas, a result for each."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import msgspec

from pgkeel.cli.answer import Answer, current_project, talk
from pgkeel.cli.migrate_options import chosen_sources
from pgkeel.core.errors import KeelError, UsageError
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.migrations import Options, Source
from pgkeel.migrations.fleet import Member, Result, across, make_schema, read_members
from pgkeel.postgres import Connection
from pgkeel.stack.connection import connect

__all__ = ["Fleet", "Site", "TargetsFailed", "carried_out", "on_each", "targets"]

Work = Callable[[Connection, Sequence[Source], Options, Report], Answer]


class TargetsFailed(KeelError):
    """The verb failed on some of the targets."""

    code = "targets_failed"


class Fleet(msgspec.Struct, frozen=True):
    """What `--targets` and `--parallel` said.

    Attributes:
        path: The file; None works on the project's own database.
        parallel: On how many databases at once.
    """

    path: Path | None
    parallel: int


class Site(msgspec.Struct, frozen=True):
    """One place at which a verb is carried out.

    Attributes:
        project: The project, on the database of this place.
        sources: Whose migrations run here.
        options: With the schema of a tenant.
        report: Told what happens here.
        member: The target; None for the project's own database.
    """

    project: Project
    sources: Sequence[Source]
    options: Options
    report: Report
    member: Member | None = None

    @property
    def tenant(self) -> str | None:
        """The one source whose migrations are a tenant's, or None where all of the database are meant."""
        return self.sources[0].name if self.member is not None and self.member.schema else None


def targets(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options; it gets `path` and `parallel`."""
    limit = click.IntRange(1, 64)
    text = "On how many databases at once, with --targets."
    with_parallel = click.option("--parallel", type=limit, default=4, show_default=True, metavar="N", help=text)(function)
    help_text = "On every database and schema that this TOML file lists; exit code: the worst of theirs."
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option("--targets", "path", type=kind, metavar="FILE", help=help_text)(with_parallel)


def carried_out(verb: str, work: Work, options: Options, fleet: Fleet, name: str | None, *, writes: bool = False) -> Answer:
    """Return what a verb says of the project's database, or of each target, on a connection as the owner.

    Args:
        verb: Its name, for those who look at the sessions.
        work: Does it on one connection.
        options: Of the command line.
        fleet: Where.
        name: The source that was chosen, or None.
        writes: Whether the schema of a new tenant is made.
    """

    def act(site: Site) -> Answer:
        with closing(connect(site.project, role="owner", application=f"pgkeel migrate {verb}")) as connection:
            if writes and not options.dry_run and site.member is not None:
                make_schema(connection, site.member)
            return work(connection, site.sources, site.options, site.report)

    return on_each(act, options, fleet, name)


def on_each(act: Callable[[Site], Answer], options: Options, fleet: Fleet, name: str | None) -> Answer:
    """Return what an act says of the project's database, or of each target.

    Args:
        act: Does it at one place; called from several threads.
        options: Of the command line.
        fleet: Where.
        name: The source that was chosen, or None.
    """
    project = current_project()
    sources = chosen_sources(project, name)
    if fleet.path is None:
        return act(Site(project, sources, options, talk))
    allowed = [source for source in sources if source.name != "reference" or project.config.schema.reference]

    def at(member: Member) -> Answer:
        chosen = member.sources(allowed)
        if not chosen:
            raise UsageError(f"the source {name} does not run on {member.name}", hint="leave --source out, or say app")
        there = msgspec.structs.replace(project, address=member.url)
        return act(Site(there, chosen, member.options(options), lambda text: talk(f"{member.name}: {text}"), member))

    return _answer(across(read_members(fleet.path), at, parallel=fleet.parallel))


def _answer(results: Sequence[Result[Answer]]) -> Answer:
    shown = [_shown(result) for result in results]
    worst = max(entry["exit_code"] for entry in shown)
    failed = [result.member.name for result in results if result.error is not None]
    error = None
    if failed:
        hint = "mend what their errors say and run it again: what is done stays done"
        error = TargetsFailed(f"{len(failed)} of {len(results)} targets failed: {', '.join(failed)}", hint=hint)
    return Answer({"targets": shown}, "\n".join(_text(result) for result in results), worst, error)


def _shown(result: Result[Answer]) -> dict[str, Any]:
    facts = {"name": result.member.name, "schema": result.member.schema}
    if result.error is not None:
        return facts | {"exit_code": result.error.exit_code, "data": None, "error": result.error.as_dict()}
    answer = result.value or Answer()
    return facts | {"exit_code": answer.exit_code, "data": answer.data, "error": None}


def _text(result: Result[Answer]) -> str:
    if result.error is not None:
        return f"{result.member.name}: error: {result.error.message}\n  → {result.error.hint}"
    text = (result.value or Answer()).text
    return f"{result.member.name}: {text}" if "\n" not in text else f"{result.member.name}:\n{text}"
