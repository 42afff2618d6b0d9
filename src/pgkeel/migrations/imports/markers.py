"""dbmate and node-pg-migrate: Up and Down in one SQL file, told apart by comments."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pgkeel.migrations.grammar import normalise
from pgkeel.migrations.imports.foreign import Body, Foreign, body_of, comments_of, folder_files, given, refused
from pgkeel.migrations.lexer import Token
from pgkeel.migrations.position import refuse
from pgkeel.migrations.source import shown, text_of

__all__ = ["read_dbmate", "read_node_pg_migrate", "time_of_digits"]

_DBMATE = re.compile(r"--\s*migrate:(?P<word>up|down)\b(?P<rest>.*)")
_DBMATE_NAME = re.compile(r"(?P<version>\d+)(?P<name>.*)\.sql")
_NODE = re.compile(r"--[\s-]*(?P<word>up|down)\s+migration", re.IGNORECASE)
_NODE_NAME = re.compile(r"(?P<digits>\d+)[-_ ](?P<name>.+)\.(?P<kind>\w+)")
_CODE = {".js", ".ts", ".mjs", ".cjs", ".mts", ".cts"}


def read_dbmate(folder: Path) -> list[Foreign]:
    """Return dbmate's migrations in their order.

    Raises:
        BadMigration: One cannot be converted.
    """
    found = []
    for file in folder_files(folder):
        name = _DBMATE_NAME.fullmatch(file.name)
        if name is None:
            continue
        text = normalise(text_of(file))
        parts = {}
        for marker, match, end in _parts(text, file, _DBMATE):
            parts[match["word"]] = _dbmate_body(text, file, marker, match["rest"], end)
        if "up" not in parts:
            raise refused(file, "no -- migrate:up", hint="dbmate would refuse it too; write the line, or move the file away")
        found.append(Foreign(name["version"], name["name"].strip("_- "), shown(file), parts["up"], given(parts.get("down"))))
    return sorted(found, key=lambda one: (int(one.id), one.id))


def _dbmate_body(text: str, file: Path, marker: Token, rest: str, end: int) -> Body:
    options = dict(part.partition(":")[::2] for part in rest.split())
    unknown = [option for option in options if option != "transaction"]
    if unknown:
        hint = "write the values out, or keep them in the database"
        raise refuse(shown(file), text, marker.start, f"the option {unknown[0]} cannot be converted", hint=hint)
    return body_of(text, marker.end, end, shown(file), alone=options.get("transaction") == "false")


def read_node_pg_migrate(folder: Path) -> list[Foreign]:
    """Return node-pg-migrate's SQL migrations in their order.

    Raises:
        BadMigration: One cannot be converted; migrations in JavaScript or TypeScript are programs.
    """
    found = []
    for file in folder_files(folder):
        if file.suffix in _CODE:
            hint = "print its SQL (`node-pg-migrate up --dry-run`) and write that into an SQL file of the same name"
            raise refused(file, "a migration in JavaScript is a program, not SQL", hint=hint)
        name = _NODE_NAME.fullmatch(file.name)
        if name is None or file.suffix != ".sql":
            continue
        text = normalise(text_of(file))
        parts = {match["word"].lower(): (marker.end, end) for marker, match, end in _parts(text, file, _NODE)}
        start, stop = parts.get("up") or (0, min((begin for begin, _ in parts.values()), default=len(text)))
        up = body_of(text, start, stop if "up" in parts else _line_start(text, stop, parts), shown(file))
        down = body_of(text, *parts["down"], shown(file)) if "down" in parts else None
        found.append((_node_order(name["digits"]), Foreign(file.stem, name["name"], shown(file), up, given(down))))
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].id))]


def _line_start(text: str, stop: int, parts: object) -> int:
    return text.rfind("\n", 0, stop) + 1 if parts else stop


def _node_order(digits: str) -> float:
    moment = time_of_digits(digits)
    return moment.timestamp() if moment else float(int(digits))


def time_of_digits(digits: str) -> datetime | None:
    """Return the time that a name's digits say: `YYYYMMDDHHMMSS[mmm]`, milliseconds or seconds since 1970; None for a count."""
    if len(digits) in {14, 17}:
        try:
            return datetime.strptime(f"{digits[:14]}+0000", "%Y%m%d%H%M%S%z")
        except ValueError:
            return None
    number = int(digits)
    if len(digits) == 13:
        return datetime.fromtimestamp(number / 1000, UTC)
    if len(digits) == 10:
        return datetime.fromtimestamp(number, UTC)
    return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=number) if number < 10**8 else None


def _parts(text: str, file: Path, marker: re.Pattern[str]) -> Iterator[tuple[Token, re.Match[str], int]]:
    """Yield the marker, what it says and where its part ends, of each part of a file.

    Raises:
        BadMigration: A part stands twice.
    """
    found = [(comment, match) for comment in comments_of(text, shown(file)) if (match := marker.match(comment.text))]
    seen: set[str] = set()
    for place, (comment, match) in enumerate(found):
        if match["word"].lower() in seen:
            raise refuse(shown(file), text, comment.start, f"a second part {match['word']}", hint="make two files of it")
        seen.add(match["word"].lower())
        yield comment, match, found[place + 1][0].start if place + 1 < len(found) else len(text)
