"""`pgkeel security encrypt|decrypt`: the migrations that change the form of a column, written, not run."""

from collections.abc import Sequence

import click

from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.core.normal_form import NORMAL_FORMS
from pgkeel.core.project import Project
from pgkeel.security.encryption import MigrationText
from pgkeel.security.encryption.remains import Remains
from pgkeel.stack.encryption import plan_decrypt, plan_encrypt, remains_of, write_migrations

__all__ = ["decrypt", "encrypt"]

_COLUMN = click.argument("column", metavar="TABLE.COLUMN")
_INDEX = click.option("--index", type=click.Choice(list(NORMAL_FORMS)), help="The normal form by which equal values are found.")
_UNIQUE = click.option("--unique", metavar="CONSTRAINT", help="Keep equal values apart by a constraint of this name.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Print the migrations; write nothing.")


@click.command()
@_COLUMN
@_INDEX
@_UNIQUE
@click.option("--remains", "shows_remains", is_flag=True, help="List where older clear values still lie; exit 1 when one does.")
@click.option(
    "--scrub",
    "is_scrub",
    is_flag=True,
    help="Write the table anew, so that its file holds no older clear value, and take a full backup.",
)
@_DRY_RUN
@answers
def encrypt(column: str, index: str | None, unique: str | None, *, shows_remains: bool, is_scrub: bool, dry_run: bool) -> Answer:
    """Write the three migrations that encrypt TABLE.COLUMN beside the application: expand and backfill, switch, contract."""
    if unique and index is None:
        raise click.UsageError("--unique needs --index: digests are kept apart")
    project = current_project()
    if is_scrub and dry_run:
        talk(f"would write the table of {column} anew; until then, these remain:")
    if shows_remains or is_scrub:
        return _left(remains_of(project, column, does_scrub=is_scrub and not dry_run, report=talk))
    return _written(project, plan_encrypt(project, column, index=index, unique=unique, report=talk), dry_run=dry_run)


@click.command()
@_COLUMN
@_INDEX
@_UNIQUE
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
def decrypt(column: str, index: str | None, unique: str | None, type_: str, *, dry_run: bool) -> Answer:
    """Write the three migrations that make the encrypted TABLE.COLUMN clear again."""
    project = current_project()
    planned = plan_decrypt(project, column, index=index, unique=unique, type_=type_, report=talk)
    return _written(project, planned, dry_run=dry_run)


def _left(found: Sequence[Remains]) -> Answer:
    text = "\n".join(f"{place.kind}: {place.where}; until {place.until}" for place in found)
    data = {"remains": [{"kind": place.kind, "where": place.where, "until": place.until} for place in found]}
    return Answer(data, text or "no clear value is left", int(bool(found)))


def _written(project: Project, planned: Sequence[MigrationText], *, dry_run: bool) -> Answer:
    if dry_run:
        shown = [{"name": each.words, "sql": each.text} for each in planned]
        return Answer({"dry_run": True, "migrations": shown}, "\n".join(f"-- {each.words}\n{each.text}" for each in planned))
    paths = write_migrations(project, planned)
    return Answer({"dry_run": False, "paths": paths}, "\n".join(paths))
