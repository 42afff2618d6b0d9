"""golang-migrate and Flyway: one SQL file a direction, told apart by their names."""

import re
from pathlib import Path

from pgkeel.migrations.grammar import normalise
from pgkeel.migrations.imports.foreign import Body, Foreign, folder_files, given, plain_body, refused
from pgkeel.migrations.position import refuse
from pgkeel.migrations.source import shown, text_of

__all__ = ["dotted", "read_flyway", "read_golang_migrate"]

_GOLANG = re.compile(r"(?P<version>\d+)_(?P<name>.*)\.(?P<direction>up|down)\.(?P<kind>\w+)")
_FLYWAY = re.compile(r"(?P<kind>[VUBR])(?P<version>[0-9][0-9._]*?)?__(?P<name>.+)\.(?P<end>sql|java|class|py|js|bash|ps1)")
_PLACEHOLDER = re.compile(r"\$\{[^}]+\}")
_CALLBACKS = ("before", "after", "createSchema")


def read_golang_migrate(folder: Path) -> list[Foreign]:
    """Return golang-migrate's migrations in their order.

    Raises:
        BadMigration: One cannot be converted, or has no Up.
    """
    found: dict[int, dict[str, tuple[str, Path]]] = {}
    for file in folder_files(folder):
        match = _GOLANG.fullmatch(file.name)
        if match is None:
            continue
        if match["kind"] != "sql":
            raise refused(file, f"a .{match['kind']} file is not SQL", hint="write it as SQL, or move it away")
        side = found.setdefault(int(match["version"]), {})
        if match["direction"] in side:
            raise refused(file, f"the version {match['version']} has two {match['direction']} files", hint="keep one of them")
        side[match["direction"]] = (match["name"], file)
    return [_of_golang(version, found[version]) for version in sorted(found)]


def _of_golang(version: int, sides: dict[str, tuple[str, Path]]) -> Foreign:
    if "up" not in sides:
        raise refused(sides["down"][1], f"the version {version} has a down and no up", hint="bring the up file back")
    name, file = sides["up"]
    return Foreign(
        str(version), name, shown(file), plain_body(file), given(plain_body(sides["down"][1])) if "down" in sides else None
    )


def read_flyway(folder: Path) -> list[Foreign]:
    """Return Flyway's versioned migrations in their order, each with its undo where there is one.

    Raises:
        BadMigration: One cannot be converted: a repeatable one, a callback, Java, placeholders.
    """
    versions: dict[tuple[int, ...], tuple[str, str, Path]] = {}
    undo: dict[tuple[int, ...], Path] = {}
    for file in folder_files(folder):
        match = _FLYWAY.fullmatch(file.name)
        if match is None:
            _require_no_callback(file)
            continue
        _require_versioned(file, match)
        key = dotted(match["version"])
        if match["kind"] == "U":
            undo[key] = file
        elif key in versions:
            raise refused(file, f"the version {match['version']} stands twice", hint=f"the other is {versions[key][2].name}")
        else:
            versions[key] = (match["version"].replace("_", "."), match["name"], file)
    return [
        Foreign(version, name, shown(file), _flyway_body(file), _flyway_body(undo[key]) if key in undo else None)
        for key, (version, name, file) in sorted(versions.items())
    ]


def dotted(version: str) -> tuple[int, ...]:
    """Return what a Flyway version is compared by: `1.2`, `1_2` and `1.2.0` are one."""
    numbers = [int(part) for part in re.split(r"[._]", version) if part]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _require_versioned(file: Path, match: re.Match[str]) -> None:
    if match["kind"] == "R":
        hint = "a view or function that changes gets a migration for each change; move the file away"
        raise refused(file, "a repeatable migration has no version", hint=hint)
    if match["kind"] == "B":
        raise refused(file, "a baseline migration stands for others", hint="move it away: the versions before it are converted")
    if match["end"] != "sql":
        raise refused(file, f"a .{match['end']} migration is a program, not SQL", hint="write what it does as SQL")
    if not match["version"]:
        raise refused(file, "there is no version in its name", hint="name it V1__words.sql")


def _require_no_callback(file: Path) -> None:
    if file.suffix == ".sql" and file.name.startswith(_CALLBACKS):
        raise refused(
            file, "a callback runs beside every migration", hint="write what it does into a migration; move the file away"
        )


def _flyway_body(file: Path) -> Body:
    text = normalise(text_of(file))
    placeholder = _PLACEHOLDER.search(text)
    if placeholder:
        raise refuse(shown(file), text, placeholder.start(), f"{placeholder[0]} is a placeholder", hint="write its value")
    settings = file.with_name(f"{file.name}.conf")
    alone = settings.is_file() and re.search(r"executeInTransaction\s*=\s*false", text_of(settings)) is not None
    return plain_body(file, alone=alone)
