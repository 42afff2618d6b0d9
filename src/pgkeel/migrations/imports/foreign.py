"""What another tool's migration is before it becomes ours: two bodies of SQL with their places, and the name its ledger knows."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from pgkeel.migrations.errors import BadMigration
from pgkeel.migrations.grammar import normalise
from pgkeel.migrations.lexer import LexError, Token, TokenKind, tokens
from pgkeel.migrations.marker import MarkerError, read_marker
from pgkeel.migrations.position import refuse
from pgkeel.migrations.source import shown, text_of
from pgkeel.migrations.statement import Statement, split
from pgkeel.migrations.units import cannot_run_in_transaction, group

__all__ = [
    "Body",
    "Foreign",
    "as_version",
    "body_of",
    "comments_of",
    "folder_files",
    "given",
    "order_versions",
    "plain_body",
    "refused",
]

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_TRANSACTION = ("BEGIN", "START TRANSACTION", "COMMIT", "END")


class Body(msgspec.Struct, frozen=True):
    """SQL of a migration, as it goes between our markers.

    Attributes:
        text: With BEGIN and COMMIT around what the other tool would have put into a transaction.
        is_alone: Whether its statements run one by one, as the other tool was told.
    """

    text: str
    is_alone: bool = False


class Foreign(msgspec.Struct, frozen=True):
    """One migration of another tool.

    Attributes:
        id: What the tool's ledger calls it.
        name: Its words.
        origin: The file, as errors show it.
        up: What it does.
        down: What undoes it, or None where there is nothing.
    """

    id: str
    name: str
    origin: str
    up: Body
    down: Body | None


def refused(file: Path, message: str, *, hint: str, line: int = 1) -> BadMigration:
    """Return the error for a file that cannot be converted."""
    return BadMigration(f"{shown(file)}:{line}:1: {message}", hint=hint, data={"file": shown(file), "line": line})


def folder_files(folder: Path) -> list[Path]:
    """Return the visible files of a folder and what lies below it, by path.

    Raises:
        BadMigration: It cannot be read, or is none.
    """
    try:
        if not folder.is_dir():
            raise BadMigration(f"{folder} is no folder", hint="name the folder that holds the other tool's migrations")
        return sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path, folder))
    except OSError as err:
        raise BadMigration(f"the folder {folder} cannot be read: {err.strerror}", hint="make it readable") from err


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)


def comments_of(text: str, file: str) -> list[Token]:
    """Return the line comments of a text.

    Raises:
        BadMigration: Something is never closed.
    """
    try:
        return [token for token in tokens(text) if token.kind is TokenKind.LINE_COMMENT]
    except LexError as err:
        raise refuse(file, text, err.offset, err.message, hint="close it") from err


def plain_body(file: Path, *, alone: bool = False) -> Body:
    """Return the whole of an SQL file as a body."""
    text = normalise(text_of(file))
    return body_of(text, 0, len(text), shown(file), alone=alone)


def body_of(text: str, start: int, end: int, file: str, *, alone: bool = False) -> Body:
    """Return a part of a file as a body, after making sure that our runner can run it.

    Args:
        text: All of the file, so that errors name the right line.
        start: Where the part begins.
        end: Where it ends.
        file: As errors show it.
        alone: Whether the other tool puts no transaction around it.

    Raises:
        BadMigration: It cannot be run by us; the message begins with `file:line:column`.
    """
    statements = _statements(text, start, end, file)

    def refuse_statement(statement: Statement, message: str, hint: str) -> BadMigration:
        return refuse(file, text, statement.offset, message, hint=hint)

    group(statements, alone=alone, refuse=refuse_statement)
    _require_no_marker(text, start, end, file)
    part = text[start:end].strip("\n")
    needs_wrap = bool(statements) and not alone and not any(_stands_apart(statement) for statement in statements)
    return Body(f"BEGIN;\n{_closed(part, statements, text)}\nCOMMIT;" if needs_wrap else part, alone)


def given(body: Body | None) -> Body | None:
    """Return a body that does something; None for one of blanks and comments."""
    is_empty = body is None or all(not line.strip() or line.strip().startswith("--") for line in body.text.splitlines())
    return None if is_empty else body


def _statements(text: str, start: int, end: int, file: str) -> list[Statement]:
    try:
        return list(split(text, start, end))
    except LexError as err:
        hint = "close it" if "never closed" in err.message else "write it as SQL that the server knows"
        raise refuse(file, text, err.offset, err.message, hint=hint) from err


def _stands_apart(statement: Statement) -> bool:
    return statement.starts_with(*_TRANSACTION) or cannot_run_in_transaction(statement)


def _closed(part: str, statements: Sequence[Statement], text: str) -> str:
    """Return the part with a `;` behind its last statement."""
    last = statements[-1]
    end = last.offset + len(last.text)
    if text[end:].lstrip().startswith(";"):
        return part
    tail = len(text[end:].strip("\n")) if end < len(text) else 0
    cut = len(part) - tail if tail else len(part)
    return f"{part[:cut].rstrip()};{part[cut:]}"


def _require_no_marker(text: str, start: int, end: int, file: str) -> None:
    for comment in comments_of(text, file):
        if start <= comment.start < end and (comment.start == 0 or text[comment.start - 1] == "\n"):
            try:
                marker = read_marker(comment)
            except MarkerError as err:
                raise refuse(file, text, comment.start, err.message, hint=err.hint) from err
            if marker is not None:
                raise refuse(file, text, comment.start, "this comment would be a marker of ours", hint="indent it")


def as_version(moment: datetime) -> str:
    """Return a time as a version."""
    return f"{moment.astimezone(UTC):%Y%m%d%H%M%S}"


def order_versions(wanted: Iterable[datetime | None]) -> list[str]:
    """Return a version for each migration, in their order, each later than the one before.

    Args:
        wanted: The time that the other tool's own name holds; None where it holds none, counts from 2000 on.
    """
    versions: list[str] = []
    last = _EPOCH
    for moment in wanted:
        last = max(moment or last, last + timedelta(seconds=1))
        versions.append(as_version(last))
    return versions
