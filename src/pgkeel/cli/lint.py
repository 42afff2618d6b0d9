"""`pgkeel migrate lint`: say what a migration would do to the traffic, before it runs."""

from contextlib import closing
from pathlib import Path

import click
import msgspec

from pgkeel import __version__
from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.core.errors import UsageError
from pgkeel.core.project import Project
from pgkeel.core.rules import Severity, as_github, as_sarif, as_text
from pgkeel.core.secret import Secret
from pgkeel.core.url import Url
from pgkeel.migrations.errors import BadMigration
from pgkeel.migrations.grammar import parse_name
from pgkeel.migrations.lint import Linted, Target, ask, changed_since, lint_files

__all__ = ["lint"]

_FORMATS = ("text", "json", "sarif", "github")


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--since", metavar="REF", help="Only the project's files that changed since a commit, branch or tag.")
@click.option("--pending", is_flag=True, help="Only what the project's database has not applied; its sizes count.")
@click.option(
    "--url", metavar="URL", help="The database whose sizes count: env:NAME, file:PATH, or an address. Small tables warn less."
)
@click.option("--format", "form", type=click.Choice(_FORMATS), default="text", show_default=True, help="How to report.")
@answers
def lint(files: tuple[Path, ...], since: str | None, url: str | None, form: str, *, pending: bool) -> Answer:
    """Judge migrations by what they would lock, rewrite, break or lose. No database is needed.

    Files are named, or are all of the project's own. Named migrations of one folder are judged as one set: a table that one of
    them makes is not in use yet. The Up alone is judged. Exit code 1 when an error or warning is found, 2 when a file
    cannot be read. `-- pgkeel: ignore RULE -- reason` above a statement lets it pass.
    """
    if len(files) > 0 and (since or pending):
        raise UsageError("files are named, yet --since or --pending chooses them", hint="leave one of both out")
    project = current_project()
    chosen, older = _chosen(project, files, since, pending=pending)
    target = _target(project, url, pending=pending)
    is_set = bool(files or since or pending)
    found = lint_files(chosen, older=older, are_one_set=is_set, accepted=project.config.checks.accept, target=target)
    for note in found.notes:
        talk(note)
    return Answer(found.as_data(), _text(found, form), found.report.exit_code(Severity.WARNING))


def _text(found: Linted, form: str) -> str:
    match form:
        case "sarif":
            return msgspec.json.format(msgspec.json.encode(as_sarif(found.report, version=__version__))).decode()
        case "github":
            return as_github(found.report)
        case "json":
            return msgspec.json.format(msgspec.json.encode({"ok": True, "data": found.as_data(), "error": None})).decode()
    return as_text(found.report)


def _chosen(project: Project, files: tuple[Path, ...], since: str | None, *, pending: bool) -> tuple[list[Path], list[Path]]:
    """Return the files to judge, and the older ones beside them that tell the schema."""
    folder = project.root / project.config.migrations.directory
    if files:
        named = [path for file in files for path in (_migrations_in(file) if file.is_dir() else [file])]
        folders = {path.parent for path in named if _is_migration(path)}
        return named, _older(named, [path for place in sorted(folders) for path in _migrations_in(place)])
    everything = _migrations_in(folder)
    if since:
        return (changed := changed_since(since, folder)), _older(changed, everything)
    if pending:
        versions = _pending_versions(project)
        waiting = [path for path in everything if _is_migration(path) and parse_name(path.name)[0] in versions]
        return waiting, _older(waiting, everything)
    return everything, []


def _migrations_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.sql") if not path.name.startswith(".")) if folder.is_dir() else []


def _is_migration(path: Path) -> bool:
    try:
        parse_name(path.name)
    except BadMigration:
        return False
    return True


def _older(chosen: list[Path], known: list[Path]) -> list[Path]:
    names = [path.name for path in chosen if _is_migration(path)]
    taken = {path.resolve() for path in chosen}
    return [path for path in known if _is_migration(path) and names and path.name < max(names) and path.resolve() not in taken]


def _pending_versions(project: Project) -> set[str]:
    from pgkeel import migrations  # noqa: PLC0415 - the driver takes longer to load than the lint to run
    from pgkeel.stack.connection import connect  # noqa: PLC0415

    own = [source for source in migrations.project_sources(project) if source.name == "app"]
    with closing(connect(project, role="owner", application="pgkeel migrate lint")) as connection:
        return {state.version for state in migrations.pending(connection, own)}


def _target(project: Project, url: str | None, *, pending: bool) -> Target | None:
    if url is None and not pending:
        return None
    from pgkeel.postgres import connect as open_connection  # noqa: PLC0415
    from pgkeel.stack.connection import login_url  # noqa: PLC0415

    address = _address(project, url) if url else login_url(project, "owner")
    with closing(open_connection(address, application="pgkeel migrate lint")) as connection:
        return ask(connection)


def _address(project: Project, url: str) -> Url:
    is_reference = url.startswith(("env:", "file:"))
    return Url.parse(Secret.from_reference(url, folder=project.root).reveal() if is_reference else url)
