"""`pgkeel migrate new`: an empty file from the template, or the several files of a recipe."""

from contextlib import closing
from typing import Any

import click

from pgkeel import migrations
from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.cli.migrate_options import chosen_sources
from pgkeel.core import clock
from pgkeel.core.errors import UsageError
from pgkeel.core.project import Project
from pgkeel.migrations import Source
from pgkeel.migrations.recipes import ON_DELETE, ORPHANS, RECIPES, Wish, drafts, plan_recipe, write_drafts
from pgkeel.stack.connection import connect

__all__ = ["new"]


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--recipe", type=click.Choice(RECIPES), help="Write the lock-safe files of a change; WORDS are its TABLE.COLUMN.")
@click.option("--fill", metavar="SQL", help="not-null: what rows without a value get; '' when there are none.")
@click.option("--using", metavar="SQL", help="change-type: the new value, as SQL over the column.")
@click.option("--on-delete", type=click.Choice(list(ON_DELETE)), default="restrict", show_default=True, help="add-fk.")
@click.option("--orphans", type=click.Choice(ORPHANS), default="refuse", show_default=True, help="add-fk: rows without a parent.")
@click.option("--dry-run", is_flag=True, help="Print the files; write nothing.")
@answers
def new(words: tuple[str, ...], recipe: str | None, *, dry_run: bool, **wish: Any) -> Answer:  # noqa: ANN401 - the options above
    """Make the file of a new migration: `pgkeel migrate new add phone`.

    With --recipe, the files of a change that a live table survives, from what the catalog says of it:
    `not-null users.phone --fill "''"`, `rename-column users.phone mobile`, `change-type orders.total bigint`,
    `add-fk orders.user_id users.id`, `unique users.email`. Run `migrate up`, then `migrate backfill run`, file by file.
    """
    project = current_project()
    source = chosen_sources(project, "app")[0]
    if recipe is None:
        return _empty(source, words, dry_run=dry_run)
    return _recipe(project, source, recipe, words, Wish(**wish), dry_run=dry_run)


def _empty(source: Source, words: tuple[str, ...], *, dry_run: bool) -> Answer:
    if dry_run:
        raise UsageError("--dry-run shows the files of a recipe, and none is named", hint="add --recipe, or leave it out")
    path = migrations.new(source, " ".join(words), now=clock.now())
    return Answer({"path": path}, path)


def _recipe(project: Project, source: Source, recipe: str, words: tuple[str, ...], wish: Wish, *, dry_run: bool) -> Answer:
    with closing(connect(project, role="owner", application="pgkeel migrate new")) as connection:
        files = drafts(source, plan_recipe(connection, recipe, words, wish), now=clock.now())
    paths = [str(file.path) for file in files] if dry_run else list(write_drafts(files))
    shown = [{"path": path, "text": file.text} for path, file in zip(paths, files, strict=True)]
    text = "\n".join(f"{one['path']}\n{one['text']}" for one in shown) if dry_run else "\n".join(paths)
    return Answer({"dry_run": dry_run, "recipe": recipe, "files": shown}, text)
