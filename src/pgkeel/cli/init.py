"""`pgkeel init`: a project that passes its own `up`."""

import shlex
from pathlib import Path

import click

from pgkeel.cli.answer import Answer, answers, talk
from pgkeel.stack.scaffold import carry_out, plan_scaffold

__all__ = ["init"]


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.pass_context
@answers
def init(context: click.Context, folder: Path | None, *, dry_run: bool) -> Answer:
    """Make FOLDER (default: here) a pgkeel project.

    Writes pgkeel.toml, migrations/, a CI file and an ignore line. A file that exists is kept as it is, so it may be run again.
    """
    target = folder or Path(context.find_root().obj or ".")
    plan = plan_scaffold(target)
    if not dry_run:
        carry_out(target, plan, talk)
    lines = [f"{file.action:<7}{file.path}" for file in plan] if dry_run else []
    step = "pgkeel up" if folder in {None, Path()} else f"pgkeel -C {shlex.quote(str(folder))} up"
    return Answer(
        {"folder": str(target), "files": {file.path: file.action for file in plan}, "written": not dry_run},
        "\n".join([*lines, f"Next: {step}"]),
    )
