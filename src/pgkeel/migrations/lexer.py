"""Cut SQL into the tokens that PostgreSQL's own scanner sees, so that a `;` or a marker inside a literal is never taken for one.

Follows `src/backend/parser/scan.l` of PostgreSQL 15 to 18 with `standard_conforming_strings = on`: nested comments, E'' and
U&'' strings, strings continued on the next line, quoted identifiers, dollar quotes. Nothing is lost: the tokens' texts, put
together, are the input.
"""

import re
from collections.abc import Iterator
from enum import Enum

import msgspec

__all__ = ["LexError", "Token", "TokenKind", "tokens"]


class TokenKind(Enum):
    """What a token is.

    Attributes:
        is_silent: Whether the server skips it.
    """

    is_silent: bool

    SPACE = "space"
    LINE_COMMENT = "line comment"
    BLOCK_COMMENT = "block comment"
    STRING = "string"
    QUOTED_NAME = "quoted name"
    DOLLAR_STRING = "dollar-quoted string"
    WORD = "word"
    NUMBER = "number"
    PARAMETER = "parameter"
    BACKSLASH = "psql command"
    SYMBOL = "symbol"

    def __init__(self, title: str) -> None:
        """Find out once what is asked of every token."""
        self.is_silent = title == "space" or title.endswith("comment")


class Token(msgspec.Struct, frozen=True, gc=False):
    """A piece of SQL text.

    Attributes:
        start: Offset of its first character.
        text: Its characters as they stand.
    """

    kind: TokenKind
    start: int
    text: str

    @property
    def end(self) -> int:
        """Offset behind its last character."""
        return self.start + len(self.text)


class LexError(ValueError):
    """A literal or comment that never ends."""

    def __init__(self, message: str, offset: int) -> None:
        """Say what is open and where it began."""
        super().__init__(message)
        self.message = message
        self.offset = offset


# The scanner's whitespace is narrower than Python's; letters are ASCII or anything from \x80 on.
_SPACE = " \\t\\n\\r\\f\\v"
# What is not among these characters is a letter; said by what is left out, for a set of all of Unicode takes 20 ms to compile.
_NO_WORD = r"\x00-#%-/:-@\[-^`{-\x7f"  # of `$`, digits and letters, none
_NO_NUMBER = rf"{_NO_WORD}$"
_NO_LETTER = rf"{_NO_NUMBER}0-9"
_PREFIX = "[eEbBxXnN]'|[uU]&['\"]"  # letters that belong to the quote behind them
# The most frequent tokens stand first: each alternative before the right one is tried in vain.
_TOKEN = re.compile(
    rf"""
    (?P<SPACE>[{_SPACE}]+)
  | (?P<WORD>(?!{_PREFIX})[^{_NO_LETTER}][^{_NO_WORD}]*)
  | (?P<alone>[;(),=])
  | (?P<LINE_COMMENT>--[^\n\r]*)
  | (?P<BLOCK_COMMENT>/\*)
  | (?P<escaped>[eE]')
  | (?P<STRING>(?:[uU]&|[bBxXnN])?')
  | (?P<QUOTED_NAME>(?:[uU]&)?")
  | (?P<DOLLAR_STRING>\$(?:[^{_NO_LETTER}][^{_NO_NUMBER}]*)?\$)
  | (?P<NUMBER>(?:[0-9]|\.[0-9])(?:[eE][+-](?=[0-9])|\.(?!\.)|[^{_NO_NUMBER}])*)
  | (?P<PARAMETER>\$[0-9]+)
  | (?P<BACKSLASH>\\[^\n\r]*)
  | (?P<SYMBOL>::|.)
    """,
    re.VERBOSE | re.DOTALL,
)
# A quote, blanks with a line break among them, and another quote: one string, written on two lines.
_CONTINUED = rf"'(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[{_SPACE}]|--[^\n\r]*[\n\r])*'"
# (?=(X*))\1 is X*+ spelled out: CPython before 3.11.5 matches possessive repeats of alternatives wrongly (gh-106052)
_ENDS = {
    "escaped": re.compile(rf"(?=((?:[^'\\]|\\.|''|{_CONTINUED})*))\1'", re.DOTALL),
    "STRING": re.compile(rf"(?=((?:[^']|''|{_CONTINUED})*))\1'", re.DOTALL),
    "QUOTED_NAME": re.compile(r'(?=((?:[^"]|"")*))\1"', re.DOTALL),
}
_OPENINGS = {"BLOCK_COMMENT", "DOLLAR_STRING", *_ENDS}
_KINDS = {**TokenKind.__members__, "escaped": TokenKind.STRING, "alone": TokenKind.SYMBOL}
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def tokens(sql: str, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """Yield the tokens of `sql[start:end]`, in order and without a gap; their offsets are those of the whole text.

    Raises:
        LexError: A string, quoted name or block comment is not closed.
    """
    place, limit = start, len(sql) if end is None else min(end, len(sql))
    while place < limit:
        match = _TOKEN.match(sql, place, limit)
        if match is None:  # every character is at least a SYMBOL
            raise LexError("cannot be read", place)
        kind = str(match.lastgroup)
        behind = _end_of(sql, kind, match) if kind in _OPENINGS else match.end()
        yield Token(_KINDS[kind], place, sql[place:behind])
        place = behind


def _end_of(sql: str, kind: str, opening: re.Match[str]) -> int:
    if kind == "BLOCK_COMMENT":
        return _end_of_comment(sql, opening)
    if kind == "DOLLAR_STRING":
        close = sql.find(opening[0], opening.end(), opening.endpos)
        if close < 0:
            raise LexError(f"the dollar-quoted string {opening[0]} is never closed", opening.start())
        return close + len(opening[0])
    body = _ENDS[kind].match(sql, opening.end(), opening.endpos)
    if body is None:
        raise LexError(f"the quote {opening[0]} is never closed", opening.start())
    return body.end()


def _end_of_comment(sql: str, opening: re.Match[str]) -> int:
    depth, place = 1, opening.end()
    while depth:
        edge = _COMMENT_EDGE.search(sql, place, opening.endpos)
        if edge is None:
            raise LexError("the comment /* is never closed", opening.start())
        depth += 1 if edge[0] == "/*" else -1
        place = edge.end()
    return place
