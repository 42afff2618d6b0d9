"""Cut a section into statements, and tell what each one is from its first words."""

from collections.abc import Iterable, Iterator
from functools import cache

import msgspec

from pgkeel.migrations.lexer import LexError, Token, TokenKind, tokens

__all__ = ["Statement", "cut", "split"]

# what pg_dump writes around a dump since its fix of CVE-2025-8714; it means nothing to a server
_HARMLESS = ("\\restrict", "\\unrestrict")


class Statement(msgspec.Struct, frozen=True):
    """One SQL statement of a file.

    Attributes:
        text: As it stands in the file, without the `;`.
        offset: Where it begins in the file's text.
        tokens: What the server sees of it; offsets are those of the file.
        words: Its bare words in upper case, in order: keywords and unquoted names.
    """

    text: str
    offset: int
    tokens: tuple[Token, ...]
    words: tuple[str, ...]

    def starts_with(self, *phrases: str) -> bool:
        """Return whether its first words are one of the phrases, each of at most four words."""
        return f"{' '.join(self.words[:4])} ".startswith(_closed(phrases))


@cache
def _closed(phrases: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{phrase} " for phrase in phrases)


def split(text: str, start: int, end: int) -> Iterator[Statement]:
    """Yield the statements of `text[start:end]`; offsets count from the start of the text.

    Raises:
        LexError: As for `cut`, or a literal or comment that never ends.
    """
    return cut(text, tokens(text, start, end))


def cut(text: str, pieces: Iterable[Token]) -> Iterator[Statement]:
    """Yield the statements that a text's tokens make.

    A `;` inside parentheses (`CREATE RULE`) or inside `BEGIN ATOMIC … END` does not end a statement.

    Raises:
        LexError: Something is never closed, or a psql command stands among the statements.
    """
    collected: list[Token] = []
    nesting = _Nesting()
    for token in pieces:
        if token.kind.is_silent or (token.kind is TokenKind.BACKSLASH and _is_harmless(token, collected)):
            continue
        if token.text == ";" and nesting.is_outside:
            if collected:
                yield _statement(text, collected)
            collected, nesting = [], _Nesting()
            continue
        nesting.enter(token, collected)
        collected.append(token)
    nesting.require_closed()
    if collected:
        yield _statement(text, collected)


def _statement(text: str, collected: list[Token]) -> Statement:
    first, last = collected[0], collected[-1]
    words = tuple(token.text.upper() for token in collected if token.kind is TokenKind.WORD)
    return Statement(text[first.start : last.end], first.start, tuple(collected), words)


def _is_harmless(token: Token, collected: list[Token]) -> bool:
    if not collected and token.text.startswith(_HARMLESS):
        return True
    raise LexError(f"{token.text.split()[0]} is a command of psql, the server does not know it", token.start)


class _Nesting:
    """How deep in parentheses and SQL-standard function bodies the reader is."""

    def __init__(self) -> None:
        self._open: list[Token] = []
        self._bodies: list[Token] = []

    @property
    def is_outside(self) -> bool:
        return not self._open and not self._bodies

    def enter(self, token: Token, before: list[Token]) -> None:
        if token.text == "(":
            self._open.append(token)
        elif token.text == ")":
            if not self._open:
                raise LexError("this parenthesis was never opened", token.start)
            self._open.pop()
        elif token.kind is TokenKind.WORD:
            self._enter_word(token, before)

    def _enter_word(self, token: Token, before: list[Token]) -> None:
        word = token.text.upper()
        if self._bodies:
            if word == "CASE":
                self._bodies.append(token)
            elif word == "END":
                self._bodies.pop()
        elif word == "ATOMIC" and before and before[-1].text.upper() == "BEGIN" and before[0].text.upper() == "CREATE":
            self._bodies.append(token)

    def require_closed(self) -> None:
        for token in (*self._open, *self._bodies):
            what = "this parenthesis" if token.text == "(" else f"this {token.text.upper()}"
            raise LexError(f"{what} is never closed", token.start)
