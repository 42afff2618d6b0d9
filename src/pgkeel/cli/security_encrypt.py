"""`pgkeel security encrypt|decrypt`: the migrations that change the form of a column, written, not run."""

from collections.abc import Sequence

import click

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.core.normal_form import NORMAL_FORMS
from pgkeel.core.project import Project
from pgkeel.security.encryption import MigrationText
from pgkeel.stack.encryption import plan_decrypt, plan_encrypt, write_migrations

__all__ = ["decrypt", "encrypt"]

_COLUMN = click.argument("column", metavar="TABLE.COLUMN")
_INDEX = click.option("--index", type=click.Choice(list(NORMAL_FORMS)), help="The normal form by which equal values are found.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Print the migrations; write nothing.")


@click.command()
@_COLUMN
@_INDEX
@click.option("--unique", metavar="CONSTRAINT", help="Keep equal values apart by a constraint of this name; needs --index.")
@_DRY_RUN
@answers
def encrypt(column: str, index: str | None, unique: str | None, *, dry_run: bool) -> Answer:
    """Write the three migrations that encrypt TABLE.COLUMN beside the application: expand and backfill, switch, contract."""
    if unique and index is None:
        raise click.UsageError("--unique needs --index")
    project = current_project()
    return _written(project, plan_encrypt(project, column, index=index, unique=unique), dry_run=dry_run)


@click.command()
@_COLUMN
@_INDEX
@click.option(
    "--type",
    "type_",
    metavar="TYPE",
    type=click.Choice(["text", "varchar(255)", "varchar(20)"]),
    default="text",
    help="Its new type.",
)
@_DRY_RUN
@answers
def decrypt(column: str, index: str | None, type_: str, *, dry_run: bool) -> Answer:
    """Write the three migrations that make the encrypted TABLE.COLUMN clear again."""
    project = current_project()
    return _written(project, plan_decrypt(project, column, index=index, type_=type_), dry_run=dry_run)


def _written(project: Project, planned: Sequence[MigrationText], *, dry_run: bool) -> Answer:
    if dry_run:
        shown = [{"name": each.words, "sql": each.text} for each in planned]
        return Answer({"dry_run": True, "migrations": shown}, "\n".join(f"-- {each.words}\n{each.text}" for each in planned))
    paths = write_migrations(project, planned)
    return Answer({"dry_run": False, "paths": paths}, "\n".join(paths))
