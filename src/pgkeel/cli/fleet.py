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
from pgkeel.migrations import Options, Source
from pgkeel.migrations.fleet import Member, Result, across, make_schema, read_members
from pgkeel.migrations.options import Report
from pgkeel.postgres import Connection
from pgkeel.postgres import connect as open_connection
from pgkeel.stack.connection import connect

__all__ = ["Fleet", "TargetsFailed", "carried_out", "targets"]

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


def targets(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options; it gets `path` and `parallel`."""
    limit = click.IntRange(1, 64)
    text = "On how many databases at once, with --targets."
    with_parallel = click.option("--parallel", type=limit, default=4, show_default=True, metavar="N", help=text)(function)
    help_text = "On every database and schema that this TOML file lists; exit code: the worst of theirs."
    kind = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option("--targets", "path", type=kind, metavar="FILE", help=help_text)(with_parallel)


def carried_out(verb: str, work: Work, options: Options, fleet: Fleet, name: str | None, *, writes: bool = False) -> Answer:
    """Return what a verb says of the project's database, or of each target.

    Args:
        verb: Its name, for those who look at the sessions.
        work: Does it on one connection.
        options: Of the command line.
        fleet: Where.
        name: The source that was chosen, or None.
        writes: Whether the schema of a new tenant is made.
    """
    project = current_project()
    sources, application = chosen_sources(project, name), f"pgkeel migrate {verb}"
    if fleet.path is None:
        with closing(connect(project, role="owner", application=application)) as connection:
            return work(connection, sources, options, talk)

    allowed = [source for source in sources if source.name != "reference" or project.config.schema.reference]

    def act(member: Member) -> Answer:
        chosen = member.sources(allowed)
        if not chosen:
            raise UsageError(f"the source {name} does not run on {member.name}", hint="leave --source out, or say app")
        with closing(open_connection(member.url, application=application)) as connection:
            if writes and not options.dry_run:
                make_schema(connection, member)
            return work(connection, chosen, member.options(options), lambda text: talk(f"{member.name}: {text}"))

    return _answer(across(read_members(fleet.path), act, parallel=fleet.parallel))


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
