"""Write the documentation that is derived from the code: pages of docs/, the README's list of commands.

`python -m tools.docs` writes, `--check` only tells what would change (exit code 1).
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import click
import msgspec

from pgkeel.cli.main import COMMANDS, root
from pgkeel.core.config import Config
from pgkeel.core.config_forms import as_toml_values
from pgkeel.migrations.lint import EXAMPLES, REGISTRY

ROOT = Path(__file__).resolve().parent.parent
_BEGIN, _END = "<!-- commands: written by `make docs` -->", "<!-- end of commands -->"


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its path, groups before what they hold."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield (*path, name), command
            if isinstance(command, click.Group):
                yield from commands(command, (*path, name))


def cli_page() -> str:
    """Return docs/cli.md."""
    lines = ["# Commands", "", "Written by `make docs` from what every command says about itself.", ""]
    lines += ["Every command answers with an exit code: 0 fine · 1 findings or not healthy · 2 wrong usage or configuration ·"]
    lines += ["3 the database cannot be reached · 4 refused for safety · 5 unexpected failure. `--json` prints one object.", ""]
    for path, command in commands(root):
        lines += _command_lines(path, command)
    return "\n".join(lines).rstrip() + "\n"


def _command_lines(path: tuple[str, ...], command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=" ".join(("pgkeel", *path)))
    yield f"{'#' * (1 + len(path))} pgkeel {' '.join(path)}"
    yield ""
    yield from _prose(command)
    if isinstance(command, click.Group):
        return
    yield f"    {command.get_usage(context).removeprefix('Usage: ')}".replace("\n", "\n    ")
    yield ""
    records = [record for parameter in command.params if (record := parameter.get_help_record(context)) is not None]
    yield from (f"- `{names}` {text}".rstrip() for names, text in records)
    yield from [""] if records else []


def _prose(command: click.Command) -> Iterator[str]:
    text = inspect.cleandoc(command.help or "").partition("\f")[0].replace("\b\n", "")
    yield from text.rstrip().splitlines()
    yield ""


def configuration_page() -> str:
    """Return docs/configuration.md."""
    lines = ["# pgkeel.toml", "", "Written by `make docs` from `pgkeel.core.config`. Order: default < file < environment < flag;"]
    lines += ["`pgkeel config show --origin` tells where each value came from. An unknown key is an error. A secret is given by"]
    lines += ["reference: `env:NAME` or `file:PATH` (relative to the project).", ""]
    defaults = as_toml_values(Config())
    for section, kind in get_type_hints(Config).items():
        lines += [f"## [{section}]", "", inspect.cleandoc(kind.__doc__ or "").partition("\n\nAttributes:")[0], ""]
        lines += ["| key | default | environment | meaning |", "| --- | --- | --- | --- |"]
        meanings = _attributes(kind)
        for field in msgspec.structs.fields(kind):
            variable = f"PGKEEL_{section}__{field.name}".upper()
            default = _as_toml(defaults[f"{section}.{field.name}"])
            lines.append(f"| `{field.name}` | {default} | `{variable}` | {meanings[field.name]} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _attributes(kind: type) -> dict[str, str]:
    """Return the meaning of every setting, from the docstring's `Attributes:`."""
    _, _, listed = inspect.cleandoc(kind.__doc__ or "").partition("Attributes:\n")
    return {name: " ".join(text.split()) for name, text in re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", listed, re.MULTILINE)}


def _as_toml(value: Any) -> str:  # noqa: ANN401 - any TOML value
    if value is None:
        return "not set"
    return f"`{str(value).lower() if isinstance(value, bool) else json.dumps(value)}`"


def rules_page() -> str:
    """Return docs/rules.md: what every rule of the lint says, with its examples."""
    lines = [
        "# Rules of `pgkeel migrate lint`",
        "",
        "Written by `make docs` from `pgkeel.migrations.lint`. An error or a warning",
    ]
    lines += [
        "makes the exit code 1, an info does not. `-- pgkeel: ignore RULE -- reason` above a statement, or in `pgkeel.toml`"
    ]
    lines += ['`[checks] accept = {"RULE:object" = "reason"}`, lets a finding stand. A statement on a table that the same']
    lines += ["migrations make is not dangerous; with `--pending` or `--url`, one on a small table is not either.", ""]
    for rule in REGISTRY:
        lines += [f"## {rule.code} {rule.name}", "", f"{str(rule.severity).capitalize()} · {rule.section}", ""]
        lines += [rule.problem, "", f"**Safer:** {rule.fix}", ""]
        for title, name in (("Found", "bad"), ("Not found", "good")):
            lines += [f"{title}:", "", "```sql", (EXAMPLES / rule.code / f"{name}.sql").read_text("utf-8").rstrip(), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def readme(text: str) -> str:
    """Return the README with the list of commands that `pgkeel --help` shows."""
    width = max(map(len, COMMANDS))
    lines = [f"    pgkeel {name.ljust(width)}  {entry[2]}" for name, entry in COMMANDS.items()]
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return "\n".join([before + _BEGIN, "", *lines, "", _END + after])


def pages() -> dict[Path, str]:
    """Return every derived page as it should be."""
    front = ROOT / "README.md"
    return {
        ROOT / "docs/cli.md": cli_page(),
        ROOT / "docs/configuration.md": configuration_page(),
        ROOT / "docs/rules.md": rules_page(),
        front: readme(front.read_text(encoding="utf-8")),
    }


def main(arguments: list[str]) -> int:
    """Write the pages, or tell which are stale."""
    stale = [(path, text) for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path, text in stale:
        if arguments != ["--check"]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(ROOT)} {'is stale: make docs' if arguments == ['--check'] else 'written'}")
    return 1 if stale and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
