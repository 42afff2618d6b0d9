"""The verbs of `pgkeel migrate` that compare, write down and take over whole schemas."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from pgkeel import migrations
from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.cli.fleet import Fleet, carried_out, targets
from pgkeel.core import clock
from pgkeel.core.errors import UsageError
from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.core.telling import Report, counted
from pgkeel.core.url import Url
from pgkeel.migrations import Options, Source, project_sources
from pgkeel.migrations.baseline import baseline as record_baseline
from pgkeel.migrations.conversion import Inventory, read_inventory
from pgkeel.migrations.dump import dump as dump_schema
from pgkeel.migrations.dump import load_dump
from pgkeel.migrations.proposal import Proposal, propose
from pgkeel.migrations.scratch import Fill, by_files, by_script, filled
from pgkeel.migrations.source import text_of
from pgkeel.migrations.squash import plan_squash, write_squash
from pgkeel.migrations.verify import Verdict
from pgkeel.migrations.verify import verify as verify_schema
from pgkeel.postgres import Connection, connect, server_of
from pgkeel.stack.connection import connect as connect_as
from pgkeel.stack.scratch import scratch_of
from pgkeel.stack.shell import output_of

__all__ = ["baseline", "diff", "dump", "load", "squash", "verify"]

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Print what would be written; write nothing.")
_SOURCE = click.option("--source", default="app", show_default=True, metavar="NAME", help="pgkeel, reference or app.")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SHIPPED_MODELS = "pgkeel.schema.models"


@click.command()
@click.option("--from-files", is_flag=True, help="Build the expected schema from the files, even when the ledger knows it.")
@targets
@answers
def verify(*, from_files: bool, **where: Any) -> Answer:  # noqa: ANN401 - --targets
    """Compare files, ledger and database: edited files, drift, INVALID indexes, unvalidated constraints. Exit 1 on findings."""
    project, fleet = current_project(), Fleet(**where)
    if from_files and fleet.path is not None:
        raise UsageError("--from-files builds the schema of one database", hint="leave it or --targets out")
    scratch = scratch_of(project) if fleet.path is None else None

    def work(connection: Connection, sources: Sequence[Source], options: Options, _: Report) -> Answer:
        found = verify_schema(connection, sources, scratch=scratch, schemas=options.search_path, from_files=from_files)
        return Answer(_verdict(found), _verdict_text(found), exit_code=int(bool(found.violations)))

    return carried_out("verify", work, Options.of(project.config.migrations), fleet, None)


@click.command()
@click.option("--models", metavar="MODULE:BASE", help="Wanted: these SQLAlchemy models. [schema] models when nothing is named.")
@click.option("--schema", "script", type=_FILE, help="Wanted: what this SQL file makes in an empty database.")
@click.option(
    "--url", "--db", "url", metavar="URL", help="Wanted: what this other database holds; env:NAME keeps its password out."
)
@click.option(
    "--from", "origin", type=click.Choice(["database", "files"]), default="database", show_default=True, help="What is changed."
)
@click.option("--name", "words", default="schema changes", show_default=True, metavar="WORDS", help="Name of the migration.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when there is a difference.")
@_DRY_RUN
@answers
def diff(words: str, *, check: bool, dry_run: bool, **wanted: Any) -> Answer:  # noqa: ANN401 - the options above
    """Write the migration that brings the database to the models, to a schema file, or to another database."""
    if sum(wanted[name] is not None for name in ("models", "script", "url")) > 1:
        raise UsageError("--models, --schema and --url exclude each other", hint="name one wanted side")
    project = current_project()
    with _owner(project, "diff") as connection:
        proposal = _propose(project, connection, **wanted)
    path = None
    if proposal.text and not (check or dry_run):
        path = migrations.new(_app(project), words, now=clock.now(), text=proposal.text)
    return Answer(_proposal(proposal, path), _proposal_text(proposal, path), exit_code=int(check and not proposal.is_empty))


@click.command()
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write into this file.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when --output does not hold this schema.")
@answers
def dump(output: Path | None, *, check: bool) -> Answer:
    """Write down the schema and the ledger as SQL: equal schemas give equal texts. `load` reads it."""
    if check and output is None:
        raise UsageError("--check compares with a file, and none is named", hint="add --output schema.sql")
    project = current_project()
    with _owner(project, "dump") as connection:
        major = str(server_of(connection).major)
        text = dump_schema(connection, lambda arguments: output_of(project, _dumper(project), "pg_dump", arguments, major=major))
    data = {"path": str(output) if output else None, "text": text}
    if output is None:
        return Answer(data, text.rstrip("\n"))
    is_current = output.is_file() and output.read_text(encoding="utf-8") == text
    if not (check or is_current):
        unfinished = output.with_name(f".{output.name}.part")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.rename(output)
    said = f"{output} is up to date" if is_current else f"{output} is not up to date" if check else f"wrote {output}"
    return Answer(data | {"is_current": is_current}, said, exit_code=int(check and not is_current))


@click.command()
@click.argument("file", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Try it in a transaction that is rolled back.")
@answers
def load(file: Path, *, dry_run: bool) -> Answer:
    """Make the schema and the ledger of a dump in an empty database, in one transaction."""
    project = current_project()
    with _owner(project, "load") as connection:
        load_dump(connection, text_of(file), file.name, talk, dry_run=dry_run)
        found = migrations.status(connection, project_sources(project))
    data = {"dry_run": dry_run, "applied": len(found.applied), "pending": len(found.pending)}
    return Answer(data, f"{file} can be loaded" if dry_run else f"loaded {file}: {len(found.applied)} applied")


@click.command()
@click.argument("version")
@click.option("--force", "reason", default="", metavar="REASON", help="Record although the schemas differ; the reason is logged.")
@_SOURCE
@_DRY_RUN
@answers
def baseline(version: str, reason: str, source: str, *, dry_run: bool) -> Answer:
    """Record the migrations up to VERSION as applied without running them, when the database looks as they would make it."""
    project = current_project()
    options = msgspec.structs.replace(Options.of(project.config.migrations), dry_run=dry_run)
    scratch = scratch_of(project)
    with _owner(project, "baseline") as connection:
        done = record_baseline(
            connection,
            project_sources(project),
            version,
            source=source,
            scratch=scratch,
            reason=reason,
            options=options,
            report=talk,
        )
    data = {"dry_run": dry_run, "recorded": done.recorded, "differences": [str(one) for one in done.differences]}
    return Answer(data, "\n".join([*done.recorded, f"{len(done.recorded)} {'to record' if dry_run else 'recorded'}"]))


@click.command()
@click.option("--to", "version", required=True, metavar="VERSION", help="The newest migration that goes into the one file.")
@_SOURCE
@_DRY_RUN
@answers
def squash(version: str, source: str, *, dry_run: bool) -> Answer:
    """Replace the migrations up to VERSION by one file; databases that have applied them see it as applied."""
    chosen = next((one for one in project_sources(current_project()) if one.name == source), None)
    if chosen is None:
        raise UsageError(f"there is no source {source}", hint="the sources are pgkeel, reference and app")
    plan = plan_squash(chosen, version)
    if not dry_run:
        write_squash(plan, chosen, version)
    data = {"dry_run": dry_run, "path": str(plan.path), "replaced": [str(path) for path in plan.replaced], "text": plan.text}
    return Answer(data, plan.text.rstrip("\n") if dry_run else f"{plan.path} replaces {counted(len(plan.replaced), 'file')}")


@contextmanager
def _owner(project: Project, verb: str) -> Iterator[Connection]:
    with closing(connect_as(project, role="owner", application=f"pgkeel migrate {verb}")) as connection:
        yield connection


def _app(project: Project) -> Source:
    return next(source for source in project_sources(project) if source.name == "app")


def _dumper(project: Project) -> Any:  # noqa: ANN401 - a role word
    return "owner" if project.is_external else "superuser"


def _propose(
    project: Project, connection: Connection, *, models: str | None, script: Path | None, url: str | None, origin: str
) -> Proposal:
    left = _built(project, connection, by_files(project_sources(project))) if origin == "files" else read_inventory(connection)
    if url is not None:
        with closing(connect(_address(url), application="pgkeel migrate diff")) as other:
            return propose(left, read_inventory(other))
    if script is not None:
        return propose(left, _built(project, connection, by_script(script)))
    return propose(left, _built(project, connection, _by_models(project, models)), is_partial=True)


def _built(project: Project, connection: Connection, fill: Fill) -> Inventory:
    with filled(scratch_of(project), fill, like=connection) as built:
        return read_inventory(built)


def _by_models(project: Project, models: str | None) -> Callable[[Connection], None]:
    """Return what makes the models' tables, beside those of the sources that are not the team's."""
    from pgkeel.schema.building import create_all  # noqa: PLC0415 - the ORM takes longer to load than other verbs to run
    from pgkeel.schema.loading import load_base  # noqa: PLC0415

    base = load_base(models or project.config.schema.models, project.root)
    is_shipped = base.__module__ == _SHIPPED_MODELS
    beside = [one for one in project_sources(project) if one.name == "pgkeel" or (one.name == "reference" and not is_shipped)]

    def fill(connection: Connection) -> None:
        by_files(beside)(connection)
        create_all(base, connection)

    return fill


def _address(url: str) -> Url:
    return Url.parse(Secret.from_reference(url).reveal() if url.startswith(("env:", "file:")) else url)


def _verdict(found: Verdict) -> dict[str, Any]:
    shown = msgspec.to_builtins(found)
    return {"findings": shown["violations"], "expected_from": found.expected_from, "fingerprint": found.fingerprint}


def _verdict_text(found: Verdict) -> str:
    lines = [f"{one.code}: {one.object}: {one.message}\n    → {one.fix}" for one in found.violations]
    origin = (
        ""
        if found.expected_from != "nothing"
        else "; drift was not evaluated: neither the ledger nor the files say what to expect"
    )
    return "\n".join([*lines, f"{counted(len(lines), 'finding')}{origin}"])


def _proposal(proposal: Proposal, path: str | None) -> dict[str, Any]:
    return {
        "path": path,
        "differences": msgspec.to_builtins(proposal.differences),
        "unsupported": proposal.unsupported,
        "kept": proposal.kept,
        "notes": proposal.notes,
        "text": proposal.text,
    }


def _proposal_text(proposal: Proposal, path: str | None) -> str:
    for note in (*proposal.notes, *(f"not written: {name} ({reason})" for name, reason in proposal.unsupported.items())):
        talk(note)
    for name in proposal.kept:
        talk(f"left alone: {name}")
    return path or proposal.text.rstrip("\n") or ("no SQL for these differences" if proposal.differences else "no difference")
