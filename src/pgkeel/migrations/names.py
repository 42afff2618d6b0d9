"""Read the names of objects out of statements, folded the way the server folds them."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from pgkeel.migrations.lexer import Token, TokenKind
from pgkeel.migrations.statement import Statement

__all__ = ["Name", "created_table", "dropped_tables", "name_after", "read_name"]

_NAMES = {TokenKind.WORD, TokenKind.QUOTED_NAME}


class Name(msgspec.Struct, frozen=True):
    """A possibly qualified name.

    Attributes:
        parts: Schema first, each as the catalog spells it.
        end: Index of the token behind it.
    """

    parts: tuple[str, ...]
    end: int

    @property
    def text(self) -> str:
        """The name as SQL, quoted, for `to_regclass`."""
        return ".".join('"' + part.replace('"', '""') + '"' for part in self.parts)

    @property
    def last(self) -> str:
        """The object's own name."""
        return self.parts[-1]


def read_name(tokens: Sequence[Token], start: int) -> Name | None:
    """Return the name that begins at a token, or None where no name stands."""
    parts: list[str] = []
    place = start
    while place < len(tokens) and tokens[place].kind in _NAMES:
        parts.append(_fold(tokens[place]))
        place += 1
        if place >= len(tokens) or tokens[place].text != ".":
            break
        place += 1
    return Name(tuple(parts), place) if parts else None


def _fold(token: Token) -> str:
    if token.kind is TokenKind.QUOTED_NAME:
        return token.text[1:-1].replace('""', '"')
    lowered = "".join(letter.lower() if letter.isascii() else letter for letter in token.text)
    return lowered.encode()[:63].decode(errors="ignore")


def name_after(statement: Statement, *words: str) -> Name | None:
    """Return the name that follows the last of some keywords in a row; `IF [NOT] EXISTS` and `ONLY` are passed over."""
    texts = [token.text.upper() for token in statement.tokens]
    for place in range(len(texts) - len(words)):
        if tuple(texts[place : place + len(words)]) == words:
            return read_name(statement.tokens, _skip_noise(texts, place + len(words)))
    return None


def _skip_noise(texts: Sequence[str], place: int) -> int:
    for noise in (["IF", "NOT", "EXISTS"], ["IF", "EXISTS"], ["ONLY"]):
        if list(texts[place : place + len(noise)]) == noise:
            place += len(noise)
    return place


def created_table(statement: Statement) -> Name | None:
    """Return the table that a CREATE TABLE makes; temporary ones are nobody's."""
    words = statement.words
    if words[:1] != ("CREATE",) or "TABLE" not in words[1:3] or {"TEMP", "TEMPORARY", "LOCAL", "GLOBAL"} & set(words[1:3]):
        return None
    return name_after(statement, "TABLE")


def dropped_tables(statement: Statement) -> Iterator[Name]:
    """Yield the tables that a DROP TABLE, or an ALTER TABLE … RENAME TO, takes away."""
    name = name_after(statement, "TABLE") if statement.starts_with("DROP TABLE", "ALTER TABLE") else None
    if name is None or (statement.starts_with("ALTER TABLE") and ("RENAME", "TO") not in pairwise(statement.words)):
        return
    yield name
    while statement.starts_with("DROP TABLE") and name.end < len(statement.tokens) and statement.tokens[name.end].text == ",":
        following = read_name(statement.tokens, name.end + 1)
        if following is None:
            return
        name = following
        yield name
