"""`pgkeel schema`: show and draw tables with their relationships; write the row classes of the models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.cli.groups import Group
from pgkeel.core.errors import UsageError
from pgkeel.core.project import Project
from pgkeel.schema.diagram import Diagram, as_dot, as_mermaid, as_svg, as_text, from_database, from_metadata
from pgkeel.schema.loading import load_base
from pgkeel.schema.row_writer import RowsFile, plan_rows
from pgkeel.stack.connection import connect

__all__ = ["schema"]

Origin = Literal["models", "database"]

_WRITERS: dict[str, Callable[[Diagram], str]] = {"mermaid": as_mermaid, "dot": as_dot, "svg": as_svg}

_from = click.option(
    "--from", "origin", type=click.Choice(["models", "database"]), default="models", show_default=True, help="What is drawn."
)
_models = click.option("--models", metavar="MODULE:BASE", help="The SQLAlchemy base; [schema] models when left out.")
_schemas = click.option(
    "--schema", "schemas", multiple=True, default=("public",), show_default=True, help="Schema of the database; may be repeated."
)


@click.group(cls=Group)
def schema() -> None:
    """Show and draw the schema; write row classes."""


@schema.command()
@_from
@_models
@_schemas
@answers
def show(origin: Origin, models: str | None, schemas: tuple[str, ...]) -> Answer:
    """List the tables with their columns, and who belongs to how many of whom."""
    diagram = _diagram(current_project(), origin, models, schemas)
    return Answer(msgspec.to_builtins(diagram), as_text(diagram))


@schema.command()
@click.option(
    "--format", "form", type=click.Choice(list(_WRITERS)), default="mermaid", show_default=True, help="What to draw for."
)
@_from
@_models
@_schemas
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write into this file.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when --output does not hold this picture.")
@answers
def diagram(**given: Any) -> Answer:  # noqa: ANN401 - the options above
    """Draw the tables and their relationships, on stdout or into a file."""
    output: Path | None = given["output"]
    if given["check"] and output is None:
        raise UsageError("--check compares with a file, and none is named", hint="add --output docs/schema.svg")
    drawn = _diagram(current_project(), given["origin"], given["models"], given["schemas"])
    picture = _WRITERS[given["form"]](drawn)
    shown = {"format": given["form"], "path": str(output) if output else None, "text": picture}
    if output is None:
        return Answer(shown, picture.rstrip("\n"))
    is_current = output.is_file() and output.read_text(encoding="utf-8") == picture
    if not (given["check"] or is_current):
        output.write_text(picture, encoding="utf-8")
    return _written(output, shown | {"is_current": is_current}, is_current=is_current, is_check=given["check"])


@schema.command()
@_models
@click.option("--check", is_flag=True, help="Write nothing; exit 1 when the file is not what the models say.")
@click.option("--dry-run", is_flag=True, help="Write nothing; print the file as it would be.")
@answers
def rows(models: str | None, *, check: bool, dry_run: bool) -> Answer:
    """Write one frozen struct a model beside the models, so that type checkers know what a read returns."""
    project = current_project()
    plan = _rows_file(project, models)
    is_current = plan.is_current
    if dry_run:
        return Answer(_rows_data(plan, is_current=is_current), plan.text.rstrip("\n"))
    if not (check or is_current):
        plan.write()
    return _written(plan.path, _rows_data(plan, is_current=is_current), is_current=is_current, is_check=check)


def _rows_file(project: Project, models: str | None) -> RowsFile:
    wanted = project.config.schema.rows
    place = models or project.config.schema.models
    base = load_base(place, project.root)
    return plan_rows(base, module=place.partition(":")[0], path=project.root / wanted if wanted else None)


def _rows_data(plan: RowsFile, *, is_current: bool) -> dict[str, Any]:
    return {"path": str(plan.path), "classes": plan.classes, "is_current": is_current}


def _diagram(project: Project, origin: Origin, models: str | None, schemas: tuple[str, ...]) -> Diagram:
    if origin == "models":
        return from_metadata(load_base(models or project.config.schema.models, project.root).metadata)
    with connect(project, "readonly") as connection:
        return from_database(connection, schemas=schemas)


def _written(path: Path, data: dict[str, Any], *, is_current: bool, is_check: bool) -> Answer:
    if is_current:
        return Answer(data, f"{path} is up to date")
    if is_check:
        return Answer(data, f"{path} is not up to date; run the same command without --check", exit_code=1)
    return Answer(data, f"wrote {path}")
