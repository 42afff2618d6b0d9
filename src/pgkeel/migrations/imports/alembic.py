"""Alembic: its revisions are Python, so Alembic itself, as the user's program, prints their SQL; it is never imported."""

import re
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from pgkeel.core.errors import NotFound
from pgkeel.migrations.errors import BadMigration
from pgkeel.migrations.imports.foreign import Body, Foreign, body_of
from pgkeel.migrations.lexer import TokenKind, tokens
from pgkeel.migrations.statement import Statement, split

__all__ = ["ancestors", "read_alembic"]

_STEP = re.compile(r"-- Running (?P<way>upgrade|downgrade) (?P<from>[^>]*?) *-> ?(?P<to>.*)")
_LEDGER = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|DROP TABLE)\s+(\S+\.)?\"?alembic_version\b", re.IGNORECASE)
_FRAME = re.compile(r'File "(?P<file>[^"]*versions[^"]*)", line (?P<line>\d+)')


class _Printed(msgspec.Struct):
    """A step of Alembic's output: which revisions it leads from and to, and its SQL."""

    origins: tuple[str, ...]
    revisions: tuple[str, ...]
    text: str


def read_alembic(folder: Path) -> list[Foreign]:
    """Return Alembic's revisions in their order, as the SQL that `alembic … --sql` prints, both ways.

    Args:
        folder: Where `alembic.ini` is.

    Raises:
        NotFound: Alembic is not installed, or there is no `alembic.ini`.
        BadMigration: A revision needs a database to run, or its SQL cannot be converted.
    """
    if not (folder / "alembic.ini").is_file():
        raise NotFound(f"there is no alembic.ini in {folder}", hint="name the folder that holds it")
    program = shutil.which("alembic", path=sysconfig.get_path("scripts")) or shutil.which("alembic")
    if program is None:
        raise NotFound("alembic is not installed here", hint="run pgkeel in the environment of the project: pip install alembic")
    up = _printed(_run(program, folder, "upgrade", "base:heads"))
    if not up:
        return []
    downs = {step.origins[0]: step.text for step in _downs(program, folder, up)}
    titles = _titles(_run(program, folder, "history"))
    return [_converted(step, downs, titles) for step in up]


def ancestors(migrations: Sequence[Foreign], heads: Sequence[str], folder: Path) -> set[str]:
    """Return the revisions that are applied when these heads are: themselves and all before them."""
    program = shutil.which("alembic", path=sysconfig.get_path("scripts")) or shutil.which("alembic") or "alembic"
    parents = {step.revisions[0]: step.origins for step in _printed(_run(program, folder, "upgrade", "base:heads"))}
    done: set[str] = set()
    waiting = [head for head in heads if head in {one.id for one in migrations}]
    while waiting:
        revision = waiting.pop()
        if revision not in done:
            done.add(revision)
            waiting += parents.get(revision, ())
    return done


def _run(program: str, folder: Path, *arguments: str) -> str:
    offline = ["--sql"] if arguments[0] != "history" else []
    argv = [program, "-c", "alembic.ini", *arguments, *offline]
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as err:
        raise BadMigration(f"alembic cannot be run: {type(err).__name__}", hint=f"try it by hand: {' '.join(argv)}") from err
    if done.returncode:
        raise _failed(done.stderr, " ".join(argv[1:]))
    return done.stdout


def _failed(said: str, argv: str) -> BadMigration:
    frames = list(_FRAME.finditer(said))
    place = f"{frames[-1]['file']}:{frames[-1]['line']}:1: " if frames else ""
    last = next((line for line in reversed(said.strip().splitlines()) if line.strip()), "it said nothing")
    hint = f"write what it does as SQL (op.execute); `alembic {argv}` must print all of it"
    return BadMigration(f"{place}alembic cannot print its SQL: {last.strip()}", hint=hint)


def _printed(output: str) -> list[_Printed]:
    """Return the steps of an output; what stands before the first is Alembic's own table."""
    steps: list[_Printed] = []
    starts = [
        (token, match) for token in tokens(output) if token.kind is TokenKind.LINE_COMMENT if (match := _STEP.match(token.text))
    ]
    for place, (token, match) in enumerate(starts):
        end = starts[place + 1][0].start if place + 1 < len(starts) else len(output)
        steps.append(_Printed(_revisions(match["from"]), _revisions(match["to"]), output[token.end : end]))
    return steps


def _revisions(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _downs(program: str, folder: Path, up: Sequence[_Printed]) -> list[_Printed]:
    """Return the steps back; a revision that raises in its downgrade has none."""
    heads = {step.revisions[0] for step in up} - {origin for step in up for origin in step.origins}
    if len(heads) == 1 and all(len(step.origins) < 2 for step in up):
        with suppress(BadMigration):
            return _printed(_run(program, folder, "downgrade", f"{heads.pop()}:base"))
    found: list[_Printed] = []
    for step in up:
        if len(step.origins) > 1:
            continue  # a merge does nothing
        origin = step.origins[0] if step.origins else "base"
        try:
            found += _printed(_run(program, folder, "downgrade", f"{step.revisions[0]}:{origin}"))[:1]
        except BadMigration:
            continue
    return found


def _titles(history: str) -> dict[str, str]:
    titles = {}
    for line in history.splitlines():
        _, arrow, rest = line.partition(" -> ")
        revision, _, title = rest.partition(", ")
        if arrow:
            titles[revision.split()[0].strip("(),")] = title.strip()
    return titles


def _converted(step: _Printed, downs: dict[str, str], titles: dict[str, str]) -> Foreign:
    revision = step.revisions[0]
    origin = f"revision {revision}"
    down = _cleaned(downs[revision], origin) if revision in downs else None
    is_merge = len(step.origins) > 1
    return Foreign(
        revision,
        titles.get(revision) or revision,
        origin,
        _cleaned(step.text, origin) or Body(""),
        down or (Body("BEGIN;\n\nCOMMIT;") if is_merge else None),
    )


def _cleaned(text: str, origin: str) -> Body | None:
    """Return a step without Alembic's own table and transactions; ours stand in their place."""
    kept = [statement for statement in split(text, 0, len(text)) if not _is_theirs(statement)]
    if not kept:
        return None
    body = "\n".join(f"{statement.text};" for statement in kept)
    return body_of(body, 0, len(body), origin)


def _is_theirs(statement: Statement) -> bool:
    return statement.starts_with("BEGIN", "COMMIT", "START TRANSACTION") or _LEDGER.match(statement.text) is not None
