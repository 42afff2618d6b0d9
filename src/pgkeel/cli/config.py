"""`pgkeel config`: what holds here, where each value came from, and the schema for editors."""

import json
from itertools import groupby

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.cli.groups import Group
from pgkeel.core.config_forms import as_toml_values, json_schema
from pgkeel.core.project import Project

__all__ = ["config"]


@click.group(cls=Group)
def config() -> None:
    """Show settings and where each came from."""


@config.command()
@click.option("--origin", is_flag=True, help="Say for each value: default, pgkeel.toml, PGKEEL_… or flag.")
@answers
def show(*, origin: bool) -> Answer:
    """Show every setting as one would write it in pgkeel.toml."""
    project = current_project()
    values = as_toml_values(project.config)
    data: dict[str, object] = dict(values)
    if origin:
        data = {path: {"value": value, "origin": project.origins[path]} for path, value in values.items()}
    return Answer(data, _as_toml(project, values, with_origin=origin))


@config.command()
@answers
def schema() -> Answer:
    """Print the JSON Schema of pgkeel.toml; `#:schema FILE` on its first line makes editors use it."""
    content = json_schema()
    return Answer(content, msgspec.json.format(msgspec.json.encode(content), indent=2).decode())


def _as_toml(project: Project, values: dict[str, object], *, with_origin: bool) -> str:
    lines: list[str] = []
    for section, group in groupby(values.items(), key=lambda item: item[0].partition(".")[0]):
        lines += ["", f"[{section}]"]
        for path, value in group:
            line = _line(path.partition(".")[2], value)
            lines.append(f"{line:<40} # {project.origins[path]}" if with_origin else line)
    return "\n".join(lines[1:])


def _line(key: str, value: object) -> str:
    match value:
        case None:
            return f"# {key} is not set"
        case dict():
            inner = ", ".join(f"{json.dumps(name)} = {json.dumps(item)}" for name, item in value.items())
            return f"{key} = {{{inner}}}"
        case _:
            return f"{key} = {json.dumps(value, ensure_ascii=False)}"
