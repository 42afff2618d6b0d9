"""What `pgkeel init` writes: a configuration, a folder for migrations, a CI file, an ignore line; never over what exists."""

from importlib import resources
from pathlib import Path

import msgspec

from pgkeel.core.config_forms import json_schema
from pgkeel.core.errors import UsageError
from pgkeel.core.telling import Report

__all__ = ["ScaffoldFile", "carry_out", "plan_scaffold"]

_IGNORED = (".pgkeel/", ".pgkeel-backup/")


class ScaffoldFile(msgspec.Struct, frozen=True):
    """One file of a new project.

    Attributes:
        path: Where, relative to the project.
        text: What the whole file will hold.
        action: `write`, `extend` (an existing .gitignore), or `keep` (it exists and stays as it is).
    """

    path: str
    text: str
    action: str


def plan_scaffold(folder: Path) -> list[ScaffoldFile]:
    """Return what a project in this folder still lacks."""
    plain = {
        "pgkeel.toml": _template("pgkeel.toml"),
        "pgkeel.schema.json": msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode() + "\n",
        "migrations/.gitkeep": "",
        ".github/workflows/pgkeel.yml": _template("ci.yml"),
    }
    planned = [ScaffoldFile(path, text, _action(folder / path)) for path, text in plain.items()]
    return [*planned, _ignore_file(folder / ".gitignore")]


def carry_out(folder: Path, plan: list[ScaffoldFile], report: Report) -> None:
    """Write the plan's files.

    Raises:
        UsageError: The folder cannot be written.
    """
    try:
        for file in (file for file in plan if file.action != "keep"):
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.text, encoding="utf-8")
            report(f"{file.action} {file.path}")
    except OSError as err:
        raise UsageError(f"cannot write {err.filename}: {err.strerror}", hint="choose a folder of your own") from err


def _template(name: str) -> str:
    return resources.files("pgkeel.stack").joinpath("templates", name).read_text(encoding="utf-8")


def _action(target: Path) -> str:
    return "keep" if target.exists() else "write"


def _ignore_file(target: Path) -> ScaffoldFile:
    if not target.is_file():
        return ScaffoldFile(".gitignore", "".join(f"{line}\n" for line in _IGNORED), "write")
    present = target.read_text(encoding="utf-8")
    missing = "".join(f"{line}\n" for line in _IGNORED if line not in present.splitlines())
    if not missing:
        return ScaffoldFile(".gitignore", present, "keep")
    separator = "" if present.endswith("\n") or not present else "\n"
    return ScaffoldFile(".gitignore", f"{present}{separator}{missing}", "extend")
