"""Read a file as the lint sees it: the steps of its Up, the transaction around each, and the ignores beside them.

A migration is read by its grammar. A file without `-- Up Migration` is plain SQL, each bare statement a transaction of its own.
"""

from collections.abc import Iterator
from itertools import count

import msgspec

from pgkeel.core.errors import UsageError
from pgkeel.core.rules import Ignore, Place, Registry, read_ignore
from pgkeel.migrations.errors import BadMigration
from pgkeel.migrations.grammar import normalise, parse_name
from pgkeel.migrations.grammar import parse as parse_migration
from pgkeel.migrations.lexer import LexError, Token, TokenKind, tokens
from pgkeel.migrations.lint.inside import steps_of
from pgkeel.migrations.lint.parser import ParseError, parse
from pgkeel.migrations.lint.step import Step, Transaction
from pgkeel.migrations.marker import Marker, MarkerError, read_marker
from pgkeel.migrations.position import place, refuse
from pgkeel.migrations.statement import Statement, split
from pgkeel.migrations.units import cannot_run_in_transaction

__all__ = ["Script", "Silence", "read_script"]

_UNNAMED = "20000101000000_unnamed.sql"


class Silence(msgspec.Struct, frozen=True):
    """An ignore comment and the lines of the statement that it stands beside.

    Attributes:
        ignore: What it silences, and why.
        first: The first line it holds for.
        last: The last.
    """

    ignore: Ignore
    first: int
    last: int


class Script(msgspec.Struct, frozen=True):
    """One file.

    Attributes:
        file: As it is shown.
        version: The 14 digits of a migration's name, or "".
        steps: What its Up does, in order.
        silences: Its ignores.
        text: Its Up alone, every other character a blank: line numbers hold.
    """

    file: str
    version: str
    steps: tuple[Step, ...]
    silences: tuple[Silence, ...]
    text: str


def read_script(text: str, file: str, registry: Registry) -> Script:
    """Return what a file does.

    Raises:
        BadMigration: It is not SQL, or not a migration that can be run.
        UsageError: An ignore comment has no reason, or names a rule that does not exist.
    """
    text = normalise(text)
    version = _version(file)
    comments = _comments(text, file)
    markers = _markers(comments, text, file)
    if markers:
        _require_runnable(text, file, version)
    start, end, is_alone = _up(markers, text)
    statements = _split(text, start, end, file)
    steps = tuple(_steps(statements, text, file, is_plain=not markers or is_alone))
    silences = tuple(_silences(comments, statements, text, file, start, registry))
    return Script(file, version, steps, silences, _blank(text[:start]) + text[start:end])


def _blank(text: str) -> str:
    return "".join("\n" if letter == "\n" else " " for letter in text)


def _version(file: str) -> str:
    try:
        return parse_name(file)[0]
    except BadMigration:
        return ""


def _comments(text: str, file: str) -> tuple[Token, ...]:
    try:
        return tuple(token for token in tokens(text) if token.kind is TokenKind.LINE_COMMENT)
    except LexError as err:
        raise refuse(file, text, err.offset, err.message, hint="close it") from err


def _markers(comments: tuple[Token, ...], text: str, file: str) -> list[Marker]:
    found: list[Marker] = []
    for comment in comments:
        try:
            marker = read_marker(comment) if comment.start == 0 or text[comment.start - 1] == "\n" else None
        except MarkerError as err:
            raise refuse(file, text, comment.start, err.message, hint=err.hint) from err
        found += [marker] if marker else []
    return found


def _up(markers: list[Marker], text: str) -> tuple[int, int, bool]:
    ends = [*(marker.start for marker in markers[1:]), len(text)]
    for marker, end in zip(markers, ends, strict=False):
        if marker.section == "up":
            return marker.end, end, marker.options.get("transaction") == "none"
    return 0, len(text), True


def _split(text: str, start: int, end: int, file: str) -> tuple[Statement, ...]:
    try:
        return tuple(split(text, start, end))
    except LexError as err:
        raise refuse(file, text, err.offset, err.message, hint="the server reads SQL alone") from err


def _require_runnable(text: str, file: str, version: str) -> None:
    """Let the grammar refuse what cannot be run, except what a rule explains better."""
    try:
        parse_migration(text, file if version else _UNNAMED)
    except BadMigration as err:
        if "cannot run inside BEGIN" not in err.message:
            message = err.message.replace(_UNNAMED, file)
            raise BadMigration(message, hint=err.hint, data={**err.data, "file": file}) from err


def _steps(statements: tuple[Statement, ...], text: str, file: str, *, is_plain: bool) -> Iterator[Step]:
    numbers = count(1)
    unit, opening = next(numbers), None
    for statement, where in zip(statements, _places(statements, text, file), strict=True):
        if statement.starts_with("BEGIN", "START TRANSACTION"):
            if opening is not None:
                raise refuse(file, text, statement.offset, "BEGIN inside BEGIN", hint="write COMMIT; before it")
            unit, opening = next(numbers), statement
        elif statement.starts_with("COMMIT", "END"):
            if opening is None:
                raise refuse(file, text, statement.offset, "COMMIT without BEGIN", hint="remove it, or write BEGIN; before it")
            unit, opening = next(numbers), None
        else:
            state = _around(statement, is_open=opening is not None, is_plain=is_plain)
            unit = next(numbers) if state is Transaction.NONE else unit
            yield from _actions(statement, text, where, unit, state)
            unit = next(numbers) if state is Transaction.NONE else unit
    if opening is not None:
        raise refuse(file, text, opening.offset, "BEGIN without COMMIT", hint="write COMMIT; at the end of the block")


def _around(statement: Statement, *, is_open: bool, is_plain: bool) -> Transaction:
    if is_open:
        return Transaction.EXPLICIT
    return Transaction.NONE if is_plain or cannot_run_in_transaction(statement) else Transaction.IMPLICIT


def _places(statements: tuple[Statement, ...], text: str, file: str) -> Iterator[Place]:
    line, seen = 1, 0
    for statement in statements:
        line += text.count("\n", seen, statement.offset)
        seen = statement.offset
        yield Place(file, line, seen - text.rfind("\n", 0, seen))


def _actions(statement: Statement, text: str, where: Place, unit: int, transaction: Transaction) -> Iterator[Step]:
    try:
        parsed = parse(statement.text)
    except ParseError as err:
        hint = "PostgreSQL would refuse it; correct the statement"
        raise refuse(where.file, text, statement.offset + err.offset, err.message, hint=hint) from err
    names = tuple(token.text for token in statement.tokens if token.kind in {TokenKind.WORD, TokenKind.QUOTED_NAME})
    for kind, node in parsed:
        yield from steps_of(Step(kind, node, "", "", statement.text, where, unit, transaction, names))


def _silences(
    comments: tuple[Token, ...], statements: tuple[Statement, ...], text: str, file: str, start: int, registry: Registry
) -> Iterator[Silence]:
    for comment in comments:
        try:
            ignore = read_ignore(comment.text, registry)
        except UsageError as err:
            where = place(file, text, comment.start)
            raise type(err)(f"{where}: {err.message}", hint=err.hint) from err
        if ignore is not None:
            yield Silence(ignore, *_lines(comment, statements, text, start))


def _lines(comment: Token, statements: tuple[Statement, ...], text: str, start: int) -> tuple[int, int]:
    """Return the lines of the statement on the comment's line or behind it; all of the file before the Up."""
    if comment.end <= start:
        return 1, text.count("\n") + 1
    for statement in statements:
        end = text.find("\n", statement.offset + len(statement.text))
        if comment.start < (len(text) if end < 0 else end):
            first = text.count("\n", 0, statement.offset) + 1
            return first, first + statement.text.count("\n")
    return 0, 0
