"""Write the several files that a change of a live table takes, each safe by itself, from what the catalog says of the table.

Expand, fill beside the traffic, prove, contract: between the files there is time to deploy. Every file passes our own lint and
goes up and down; nothing of the database is changed here.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from pgkeel.core.errors import Refused, UsageError
from pgkeel.migrations.create import next_versions, write_new
from pgkeel.migrations.grammar import parse
from pgkeel.migrations.recipes.add_foreign_key import ON_DELETE, ORPHANS, add_foreign_key
from pgkeel.migrations.recipes.change_type import change_type
from pgkeel.migrations.recipes.not_null import not_null
from pgkeel.migrations.recipes.rename_column import rename_column
from pgkeel.migrations.recipes.text import RecipeFile
from pgkeel.migrations.recipes.unique import unique
from pgkeel.migrations.source import Source, text_of
from pgkeel.postgres import Connection

__all__ = ["ON_DELETE", "ORPHANS", "RECIPES", "Draft", "Wish", "drafts", "plan_recipe", "write_drafts"]

RECIPES = ("not-null", "rename-column", "change-type", "add-fk", "unique")
_FORMS = {
    "not-null": "TABLE.COLUMN",
    "rename-column": "TABLE.COLUMN NEW_NAME",
    "change-type": "TABLE.COLUMN TYPE",
    "add-fk": "TABLE.COLUMN PARENT.COLUMN",
    "unique": "TABLE.COLUMN[,COLUMN]",
}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a recipe may be told besides its target.

    Attributes:
        fill: `not-null`: what rows without a value get, as SQL.
        using: `change-type`: the new value, as SQL over the column.
        on_delete: `add-fk`: `restrict`, `cascade` or `set-null`.
        orphans: `add-fk`: `refuse`, `null` or `delete`.
    """

    fill: str | None = None
    using: str | None = None
    on_delete: str = "restrict"
    orphans: str = "refuse"


class Draft(msgspec.Struct, frozen=True):
    """A file that is to be written.

    Attributes:
        is_there: Whether an earlier call, killed half-way, wrote it already.
    """

    path: Path
    text: str
    is_there: bool


def plan_recipe(connection: Connection, recipe: str, arguments: Sequence[str], wish: Wish) -> tuple[RecipeFile, ...]:
    """Return a recipe's files; the catalog is read and nothing changed.

    Args:
        connection: To the database that has the table.
        recipe: One of `RECIPES`.
        arguments: Its target, and for some what it becomes.
        wish: The rest.

    Raises:
        NotFound: There is no such table, column or type.
        Refused: It cannot be done in safe steps, or is done already.
        UsageError: The arguments do not fit.
    """
    form = _FORMS[recipe]
    if len(arguments) != len(form.split()):
        raise UsageError(f"{recipe} takes {form}", hint=f"pgkeel migrate new --recipe {recipe} {form}")
    match recipe:
        case "not-null":
            return not_null(connection, arguments[0], fill=wish.fill)
        case "rename-column":
            return rename_column(connection, arguments[0], arguments[1])
        case "change-type":
            return change_type(connection, arguments[0], arguments[1], using=wish.using)
        case "add-fk":
            return add_foreign_key(connection, *arguments, on_delete=wish.on_delete, orphans=wish.orphans)
        case _:
            return unique(connection, arguments[0])


def drafts(source: Source, files: Sequence[RecipeFile], *, now: datetime) -> tuple[Draft, ...]:
    """Return where the files go; those of an earlier call that was killed keep their place."""
    known = [_known(source, file.name) for file in files]
    fresh = iter(next_versions(source, now, len(files)))
    versions = [path.name[:14] if path else next(fresh) for path in known]
    texts = [file.text.replace("{first}", versions[0]) for file in files]
    paths = [
        path or source.folder / f"{version}_{_slug(file.name)}.sql"
        for path, version, file in zip(known, versions, files, strict=True)
    ]
    for path, text in zip(paths, texts, strict=True):
        parse(text, path.name)
        if path.is_file() and text_of(path) != text:
            raise Refused(
                f"{path.name} is there with another text", hint="delete it while it is not applied, or finish what it began"
            )
    return tuple(Draft(path, text, path.is_file()) for path, text in zip(paths, texts, strict=True))


def _slug(name: str) -> str:
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower()).strip("_")


def _known(source: Source, name: str) -> Path | None:
    return next(iter(sorted(source.folder.glob(f"{'[0-9]' * 14}_{_slug(name)}.sql"))), None)


def write_drafts(files: Sequence[Draft]) -> tuple[str, ...]:
    """Write what is not there yet and return all paths; killed at any instant, the same call goes on."""
    for file in files:
        if not file.is_there:
            write_new(file.path, file.text)
    return tuple(str(file.path) for file in files)
