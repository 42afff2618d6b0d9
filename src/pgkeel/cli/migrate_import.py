"""`pgkeel migrate import`: take over a project of another migration tool."""

from contextlib import closing
from pathlib import Path

import click

from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.cli.migrate_options import chosen_sources, options_of
from pgkeel.migrations.imports import TOOLS, Imported, convert, take_over, write_imported
from pgkeel.migrations.source import shown
from pgkeel.stack.connection import connect

__all__ = ["import_"]


@click.command(name="import")
@click.argument("tool", type=click.Choice(TOOLS))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--ledger", "table", metavar="TABLE", help="Where the tool keeps what it has applied, when it is not its usual table."
)
@click.option("--files-only", is_flag=True, help="Convert the files; ask no database what is applied.")
@click.option("--dry-run", is_flag=True, help="Print the files and what counts as applied; write nothing.")
@answers
def import_(tool: str, folder: Path, table: str | None, *, files_only: bool, dry_run: bool) -> Answer:
    """Convert FOLDER's migrations of TOOL into our template; what TOOL has applied counts as applied.

    FOLDER holds the tool's files (Alembic: alembic.ini). Its files and its own ledger stay as they are. A file that cannot be
    converted is refused with its line, and nothing is written.
    """
    project = current_project()
    source = chosen_sources(project, "app")[0]
    found = convert(tool, folder, source)
    if files_only:
        if not dry_run:
            write_imported(found)
        return _answer(found, dry_run=dry_run)
    options = options_of(project, dry_run=True)
    with closing(connect(project, role="owner", application="pgkeel migrate import")) as connection:
        found = take_over(connection, tool, found, folder, source, table=table, options=options, report=talk)
        if not dry_run:
            write_imported(found)
            take_over(connection, tool, found, folder, source, table=table, options=options_of(project), report=talk)
    return _answer(found, dry_run=dry_run)


def _answer(found: tuple[Imported, ...], *, dry_run: bool) -> Answer:
    files = [
        {"id": one.id, "origin": one.origin, "path": shown(one.path), "is_applied": one.is_applied, "text": one.file.text}
        for one in found
    ]
    lines = [f"{'applied' if one.is_applied else 'pending'}  {one.origin} → {shown(one.path)}" for one in found]
    texts = [one.file.text for one in found] if dry_run else []
    return Answer({"dry_run": dry_run, "files": files}, "\n".join([*texts, *lines]))
