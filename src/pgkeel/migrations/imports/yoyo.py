"""yoyo: an SQL file and its rollback, or a Python file whose steps are strings; which comes first is said in their heads."""

import ast
import re
from pathlib import Path

import msgspec

from pgkeel.migrations.grammar import normalise
from pgkeel.migrations.imports.foreign import Body, Foreign, body_of, folder_files, plain_body, refused
from pgkeel.migrations.source import shown, text_of

__all__ = ["read_yoyo"]

_DEPENDS = re.compile(r"^--\s*depends:\s*(?P<names>.*)$", re.MULTILINE)
_ALONE = re.compile(r"^--\s*transactional:\s*(false|no|off|0)\s*$", re.MULTILINE | re.IGNORECASE)


class _Read(msgspec.Struct):
    """A migration and what it waits for."""

    migration: Foreign
    depends: set[str]


def read_yoyo(folder: Path) -> list[Foreign]:
    """Return yoyo's migrations in the order in which it would apply them.

    Raises:
        BadMigration: One cannot be converted: steps that are functions, a head that names nothing, a circle.
    """
    found: dict[str, _Read] = {}
    for file in folder_files(folder):
        if file.name.endswith(".rollback.sql") or file.suffix not in {".sql", ".py"} or file.stem.startswith("post-apply"):
            continue
        read = _of_sql(file) if file.suffix == ".sql" else _of_python(file)
        if read is not None:
            found[read.migration.id] = read
    return _ordered(found, folder)


def _of_sql(file: Path) -> _Read:
    text = normalise(text_of(file))
    alone = _ALONE.search(text) is not None
    rollback = file.with_name(f"{file.stem}.rollback.sql")
    down = plain_body(rollback, alone=alone) if rollback.is_file() else None
    names = {name for match in _DEPENDS.finditer(text) for name in match["names"].split()}
    return _Read(Foreign(file.stem, file.stem, shown(file), body_of(text, 0, len(text), shown(file), alone=alone), down), names)


def _of_python(file: Path) -> _Read | None:
    """Return what the steps of a Python migration say; it is read, never run."""
    try:
        tree = ast.parse(text_of(file))
    except SyntaxError as err:
        raise refused(file, f"not Python: {err.msg}", hint="correct it", line=err.lineno or 1) from err
    steps = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) in {"step", "transaction", "group"}]
    if not steps:
        return None
    ups, downs = [], []
    for step in (node for node in steps if _called(node) == "step"):
        up, down = (_text(file, step, place) for place in (0, 1))
        ups.append(up)
        downs.append(down)
    is_alone = any(
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "__transactional__"
        and isinstance(node.value, ast.Constant)
        and node.value.value is False
        for node in tree.body
    )
    down_body = _joined(file, [text for text in reversed(downs) if text], alone=is_alone)
    up_body = _joined(file, [text for text in ups if text], alone=is_alone)
    empty = Body("")
    return _Read(Foreign(file.stem, file.stem, shown(file), up_body or empty, down_body), _named(tree, "__depends__"))


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _text(file: Path, step: ast.Call, place: int) -> str:
    word = ("apply", "rollback")[place]
    given = step.args[place] if place < len(step.args) else next((one.value for one in step.keywords if one.arg == word), None)
    if given is None or (isinstance(given, ast.Constant) and given.value is None):
        return ""
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        return given.value.strip()
    hint = "write what it does as SQL; a change of many rows as a Backfill section with code=module:function"
    raise refused(file, "this step is a program, not SQL", hint=hint, line=given.lineno)


def _joined(file: Path, texts: list[str], *, alone: bool) -> Body | None:
    if not texts:
        return None
    text = "\n".join(text if text.endswith(";") else f"{text};" for text in texts)
    return body_of(text, 0, len(text), shown(file), alone=alone)


def _named(tree: ast.Module, name: str) -> set[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return {one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return set()


def _ordered(found: dict[str, _Read], folder: Path) -> list[Foreign]:
    done: list[Foreign] = []
    left = dict(sorted(found.items()))
    while left:
        ready = [name for name, read in left.items() if not read.depends & left.keys()]
        for name, read in left.items():
            unknown = read.depends - found.keys()
            if unknown:
                raise refused(folder / name, f"it depends on {min(unknown)}, which is not there", hint="bring that file back")
        if not ready:
            raise refused(folder / next(iter(left)), "its dependencies go in a circle", hint="cut the circle")
        done.append(left.pop(ready[0]).migration)
    return done
