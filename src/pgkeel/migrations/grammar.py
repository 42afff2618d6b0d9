r"""Read a migration file, and refuse what cannot be run before anything is.

    file      := [BOM] preamble Up-section {Down-section | Backfill-section}
    preamble  := blank lines, comments, directives
    marker    := a line comment at column 0: "--" ("Up" | "Down" | "Backfill") "Migration" {key=value}
    directive := "-- pgkeel: ignore RULE, … -- reason" | "-- pgkeel: irreversible -- reason" | "-- pgkeel: needs backfill VERSION"
               | "-- pgkeel: replaces VERSION, …"

The markers are those of the design's template; letter case does not matter. A Backfill holds one statement with `:lo` and `:hi`,
or names code (`code=…`); it is run by `migrate backfill`, never by `up`.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from operator import attrgetter

import msgspec

from pgkeel.migrations.errors import BadMigration
from pgkeel.migrations.lexer import LexError, Token, TokenKind, tokens
from pgkeel.migrations.marker import Directive, Marker, MarkerError, looks_like_marker, read_directive, read_marker
from pgkeel.migrations.position import refuse
from pgkeel.migrations.statement import Statement, cut
from pgkeel.migrations.units import Unit, group

__all__ = ["Backfill", "MigrationFile", "Section", "normalise", "parse", "parse_name", "parse_section"]

_FILE_NAME = re.compile(r"(?P<version>\d{14})_(?P<name>[a-z0-9][a-z0-9_]*)\.sql")


class Section(msgspec.Struct, frozen=True):
    """An Up or a Down.

    Attributes:
        text: The whole text that its offsets refer to.
        start: Offset of its marker.
        end: Offset behind it.
        options: The marker's `key=value`.
        units: Its steps.
    """

    text: str
    start: int
    end: int
    options: Mapping[str, str]
    units: tuple[Unit, ...]

    @property
    def sql(self) -> str:
        """Its text with the marker, as the ledger stores it."""
        return self.text[self.start : self.end]


class Backfill(msgspec.Struct, frozen=True):
    """A batched change of rows that runs beside the application.

    Attributes:
        options: `table`, and as given `key`, `batch`, `pause`, `code`.
        statement: What runs for each batch, with `:lo` and `:hi`; None where code does it.
        offset: Where its marker stands.
    """

    options: Mapping[str, str]
    statement: Statement | None
    offset: int


class MigrationFile(msgspec.Struct, frozen=True):
    """A migration as it stands in its file.

    Attributes:
        version: Its 14 digits, which are its UTC time.
        name: The words behind the version.
        file_name: As errors name it.
        text: Without byte-order mark, lines ended by LF.
        up: What it does.
        down: What undoes it, or None where `irreversible` says why.
        irreversible: The reason, or "".
        backfills: In their order.
        directives: In their order.
    """

    version: str
    name: str
    file_name: str
    text: str
    up: Section
    down: Section | None
    irreversible: str
    backfills: tuple[Backfill, ...]
    directives: tuple[Directive, ...]

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, the same whatever the line ends and the byte-order mark are."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def needs(self) -> tuple[str, ...]:
        """The versions whose backfills must have finished before this one runs."""
        return tuple(directive.arguments[0] for directive in self.directives if directive.word == "needs backfill")

    @property
    def replaces(self) -> tuple[str, ...]:
        """The versions that were squashed into this one, its own among them."""
        return tuple(version for directive in self.directives if directive.word == "replaces" for version in directive.arguments)


def normalise(text: str) -> str:
    """Return the text without byte-order mark and with LF line ends: what is parsed, run and hashed."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def parse_name(file_name: str) -> tuple[str, str]:
    """Return version and name of `YYYYMMDDHHMMSS_description.sql`.

    Raises:
        BadMigration: It has another form, or the digits are no date.
    """
    base = file_name.replace("\\", "/").rpartition("/")[2]
    match = _FILE_NAME.fullmatch(base)
    if match is None or not match["version"].isascii():
        hint = "name it YYYYMMDDHHMMSS_lower_case_words.sql; `pgkeel migrate new WORDS` does"
        raise BadMigration(f"{file_name}: not the name of a migration", hint=hint, data={"file": file_name})
    try:
        datetime.fromisoformat(f"{match['version'][:8]}T{match['version'][8:]}+00:00")
    except ValueError as err:
        hint = "year, month, day, hour, minute, second, in UTC"
        raise BadMigration(
            f"{file_name}: {match['version']} is not a date and time", hint=hint, data={"file": file_name}
        ) from err
    return match["version"], match["name"]


def parse(text: str, file_name: str) -> MigrationFile:
    """Return the migration that a text holds.

    Raises:
        BadMigration: Its name or text cannot be run; the message begins with `file:line:column`.
    """
    version, name = parse_name(file_name)
    text = normalise(text)
    pieces = _pieces(text, file_name)
    comments = _comments(pieces)
    markers = tuple(_markers(comments, text, file_name))
    directives = tuple(_directives(comments, text, file_name))
    ends = (*(marker.start for marker in markers[1:]), len(text))
    _require_order(markers, pieces, text, file_name)
    bounds = tuple(zip(markers, ends, strict=True))
    read = partial(_statements, text, file_name, pieces)
    sections = {
        marker.section: _section(text, file_name, marker, end, read(marker.end, end))
        for marker, end in bounds
        if marker.section != "backfill"
    }
    backfills = tuple(
        _backfill(text, file_name, marker, read(marker.end, end)) for marker, end in bounds if marker.section == "backfill"
    )
    irreversible = _irreversible(directives, sections.get("down"), text, file_name)
    if "down" not in sections and not irreversible:
        raise _no_down(comments, text, file_name)
    return MigrationFile(
        version, name, file_name, text, sections["up"], sections.get("down"), irreversible, backfills, directives
    )


def parse_section(text: str, file_name: str) -> Section:
    """Return the one section of a text that begins with its marker: what the ledger stored.

    Raises:
        BadMigration: It cannot be run.
    """
    pieces = _pieces(text, file_name)
    marker = next(_markers(_comments(pieces), text, file_name))
    return _section(text, file_name, marker, len(text), _statements(text, file_name, pieces, marker.end, len(text)))


def _pieces(text: str, file_name: str) -> tuple[Token, ...]:
    """Return the file's tokens; it is cut once, and its sections are runs of them."""
    if "\0" in text:
        raise refuse(file_name, text, text.index("\0"), "a NUL character", hint="save the file as UTF-8")
    try:
        return tuple(tokens(text))
    except LexError as err:
        raise refuse(file_name, text, err.offset, err.message, hint="close it") from err


def _comments(pieces: Iterable[Token]) -> tuple[Token, ...]:
    return tuple(token for token in pieces if token.kind is TokenKind.LINE_COMMENT)


def _at_column_0(token: Token, text: str) -> bool:
    return token.start == 0 or text[token.start - 1] == "\n"


def _markers(comments: Iterable[Token], text: str, file_name: str) -> Iterator[Marker]:
    for comment in comments:
        if not _at_column_0(comment, text):
            continue
        try:
            marker = read_marker(comment)
        except MarkerError as err:
            raise refuse(file_name, text, comment.start, err.message, hint=err.hint) from err
        if marker is not None:
            yield marker


def _directives(comments: Iterable[Token], text: str, file_name: str) -> Iterator[Directive]:
    for comment in comments:
        try:
            directive = read_directive(comment)
        except MarkerError as err:
            raise refuse(file_name, text, comment.start, err.message, hint=err.hint) from err
        if directive is not None:
            yield directive


def _require_order(markers: tuple[Marker, ...], pieces: Sequence[Token], text: str, file_name: str) -> None:
    if not markers:
        raise refuse(file_name, text, 0, "no -- Up Migration", hint="write the line `-- Up Migration` before the statements")
    first = markers[0]
    if first.section != "up":
        hint = "begin with -- Up Migration"
        raise refuse(file_name, text, first.start, f"-- {first.section.capitalize()} Migration before the Up", hint=hint)
    for statement in _statements(text, file_name, pieces, 0, first.start):
        raise refuse(file_name, text, statement.offset, "a statement before -- Up Migration", hint="move it below that line")
    seen: set[str] = set()
    for marker in markers:
        if marker.section in seen and marker.section != "backfill":
            title = marker.section.capitalize()
            raise refuse(file_name, text, marker.start, f"a second -- {title} Migration", hint="keep one, or make two files")
        seen.add(marker.section)


def _statements(text: str, file_name: str, pieces: Sequence[Token], start: int, end: int) -> tuple[Statement, ...]:
    first, behind = (bisect_left(pieces, place, key=attrgetter("start")) for place in (start, end))
    try:
        return tuple(cut(text, pieces[first:behind]))
    except LexError as err:
        hint = "close it" if "never closed" in err.message else "remove it"
        raise refuse(file_name, text, err.offset, err.message, hint=hint) from err


def _section(text: str, file_name: str, marker: Marker, end: int, statements: Sequence[Statement]) -> Section:
    def refuse_statement(statement: Statement, message: str, hint: str) -> BadMigration:
        return refuse(file_name, text, statement.offset, message, hint=hint)

    alone = marker.options.get("transaction") == "none"
    return Section(text, marker.start, end, marker.options, group(statements, alone=alone, refuse=refuse_statement))


def _backfill(text: str, file_name: str, marker: Marker, statements: Sequence[Statement]) -> Backfill:
    refuse_it = partial(refuse, file_name, text)
    if "code" in marker.options:
        if statements:
            raise refuse_it(statements[0].offset, "a backfill by code has no statement", hint="remove it, or remove code=")
        return Backfill(marker.options, None, marker.start)
    if len(statements) != 1:
        place = statements[1].offset if statements else marker.start
        raise refuse_it(place, f"a backfill is one statement, this one has {len(statements)}", hint="write a section for each")
    missing = [bound for bound in ("lo", "hi") if not _has_bound(statements[0], bound)]
    if missing:
        hint = "write … WHERE id > :lo AND id <= :hi"
        raise refuse_it(statements[0].offset, f"the backfill's statement does not use :{missing[0]}", hint=hint)
    return Backfill(marker.options, statements[0], marker.start)


def _has_bound(statement: Statement, bound: str) -> bool:
    pairs = zip(statement.tokens, statement.tokens[1:], strict=False)
    return any(colon.text == ":" and name.text == bound and name.start == colon.end for colon, name in pairs)


def _irreversible(directives: Iterable[Directive], down: Section | None, text: str, file_name: str) -> str:
    found = [directive for directive in directives if directive.word == "irreversible"]
    if found and down is not None:
        hint = "keep the Down, or the directive"
        raise refuse(file_name, text, found[0].offset, "irreversible, yet there is a Down", hint=hint)
    return found[0].reason if found else ""


def _no_down(comments: Iterable[Token], text: str, file_name: str) -> BadMigration:
    near = [comment for comment in comments if looks_like_marker(comment) and "down" in comment.text.lower()]
    if near:
        hint = "a marker begins at the start of its line, with two dashes: -- Down Migration"
        return refuse(file_name, text, near[0].start, "this is not read as a marker, so there is no Down", hint=hint)
    hint = "write one, or say why there is none: -- pgkeel: irreversible -- reason"
    return refuse(file_name, text, len(text), "no -- Down Migration", hint=hint)
