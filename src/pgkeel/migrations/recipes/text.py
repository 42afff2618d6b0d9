"""Put the SQL of recipes together: units, files, and the same expression over another column."""

from collections.abc import Iterator, Sequence
from importlib import resources

import msgspec

from pgkeel.migrations.lexer import Token, TokenKind, tokens
from pgkeel.migrations.recipes.subject import Table

__all__ = ["RecipeFile", "alone", "filled", "in_schema", "moved", "moved_in_view", "section", "unit"]

_NAMES = {TokenKind.WORD, TokenKind.QUOTED_NAME}


class RecipeFile(msgspec.Struct, frozen=True):
    """One file of a recipe.

    Attributes:
        name: The words behind its version.
        text: What it holds; `{first}` stands for the version of the recipe's first file.
    """

    name: str
    text: str


def filled(template: str, **names: str) -> str:
    """Return a template of `templates/` with its names filled in."""
    text = resources.files(__package__).joinpath("templates", f"{template}.sql").read_text(encoding="utf-8")
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text.rstrip("\n")


def in_schema(table: Table, name: str) -> str:
    """Return the name of an object that lies in a table's schema, without `public`."""
    return name if table.schema == "public" else f"{table.schema}.{name}"


def unit(*statements: str) -> str:
    """Return statements as one transaction."""
    body = "\n".join(statement if statement.rstrip().endswith(";") else f"{statement};" for statement in statements if statement)
    return f"BEGIN;\n{body}\nCOMMIT;" if body else ""


def alone(statement: str) -> str:
    """Return a statement that runs without a transaction."""
    return f"{statement};"


def section(
    name: str, said: str, up: Sequence[str], down: Sequence[str], *, ignores: str = "", needs: bool = False, backfill: str = ""
) -> RecipeFile:
    """Return a migration file.

    Args:
        name: Its words.
        said: What it is for, one line a sentence.
        up: Its units.
        down: Its units.
        ignores: The codes that the whole file breaks on purpose.
        needs: Whether the first file's backfill must have finished.
        backfill: Its Backfill section, with the marker.
    """
    head = [f"-- {line}" for line in said.splitlines()]
    head += [f"-- pgkeel: ignore {ignores} -- the steps of the recipe keep programs running meanwhile"] if ignores else []
    head += ["-- pgkeel: needs backfill {first}"] if needs else []
    parts = ["-- Up Migration", "\n\n".join(filter(None, up)), "", "-- Down Migration", "\n\n".join(filter(None, down))]
    return RecipeFile(name, "\n".join([*head, *parts, *(["", backfill] if backfill else []), ""]))


def moved(expression: str, old: str, new: str) -> str:
    """Return an expression in which a column is replaced by another text; strings, types and functions of its name stay.

    Args:
        expression: As the server deparses it.
        old: The column's name.
        new: What stands in its place, as SQL.
    """
    found = list(tokens(expression))
    return "".join(new if _is_column(found, place, old) else token.text for place, token in enumerate(found))


def moved_in_view(definition: str, table: str, old: str, new: str) -> str:
    """Return a view over another column of the table; its own column keeps its name.

    Args:
        definition: As `pg_get_viewdef` says it.
        table: The table's name without its schema.
        old: The column's name.
        new: The other column, as SQL.
    """
    found = list(tokens(definition))
    aliases = set(_aliases(found, table))
    pieces = []
    for place, token in enumerate(found):
        is_ours = _is_column(found, place, old) and _qualifier(found, place) in {None, *aliases}
        pieces.append(new + _label(found, place, token.text) if is_ours else token.text)
    return "".join(pieces)


def _is_column(found: Sequence[Token], place: int, old: str) -> bool:
    token = found[place]
    if token.kind not in _NAMES or _folded(token) != old:
        return False
    before, after = _beside(found, place, -1), _beside(found, place, 1)
    is_qualifier = after is not None and after.text in {".", "("}
    return not is_qualifier and not (before is not None and before.text in {":", "::"}) and not _follows_as(found, place)


def _follows_as(found: Sequence[Token], place: int) -> bool:
    before = _beside(found, place, -1)
    return before is not None and before.text.upper() == "AS"


def _folded(token: Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.kind is TokenKind.QUOTED_NAME else token.text.lower()


def _beside(found: Sequence[Token], place: int, step: int) -> Token | None:
    place += step
    while 0 <= place < len(found) and found[place].kind.is_silent:
        place += step
    return found[place] if 0 <= place < len(found) else None


def _qualifier(found: Sequence[Token], place: int) -> str | None:
    return _folded(found[place - 2]) if place > 1 and found[place - 1].text == "." else None


def _aliases(found: Sequence[Token], table: str) -> Iterator[str]:
    """Yield the names under which the table is read: its own, and what follows it."""
    yield table
    for place, token in enumerate(found):
        after = _beside(found, place, 1)
        if token.kind in _NAMES and _folded(token) == table and after is not None and after.kind in _NAMES:
            yield _folded(after)


def _label(found: Sequence[Token], place: int, text: str) -> str:
    """Return ` AS old` where the column is an item of a select list by itself."""
    start = place - 2 if _qualifier(found, place) is not None else place
    before, after = _beside(found, start, -1), _beside(found, place, 1)
    opens = before is not None and before.text.upper() in {"SELECT", ",", "DISTINCT"}
    closes = after is not None and after.text.upper() in {",", "FROM", ";"}
    return f" AS {text}" if opens and closes and _is_in_list(found, place) else ""


def _is_in_list(found: Sequence[Token], place: int) -> bool:
    """Return whether the nearest clause before a token, at its depth, is a SELECT."""
    depth = 0
    for token in reversed(found[:place]):
        depth += {")": 1, "(": -1}.get(token.text, 0)
        if depth < 0:
            return False
        word = token.text.upper() if token.kind is TokenKind.WORD else ""
        if depth == 0 and word in {"SELECT", "FROM", "WHERE", "BY", "HAVING", "ON"}:
            return word == "SELECT"
    return False
