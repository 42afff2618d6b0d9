"""`pgkeel scale partitions run|plan|list`: months ahead, and rows that landed in the default partition."""

import click

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.cli.groups import Group
from pgkeel.core.clock import now
from pgkeel.core.telling import counted
from pgkeel.scaling import partitions as keeper
from pgkeel.stack.connection import connect

__all__ = ["scale"]

_table = click.option("--table", default="events", show_default=True, help="The monthly table.")


@click.group(cls=Group)
def scale() -> None:
    """Partitions."""


@scale.group()
def partitions() -> None:
    """Keep a table's monthly partitions."""


@partitions.command()
@_table
@click.option("--dry-run", is_flag=True, help="Print what would be done and do nothing.")
@answers
def run(table: str, *, dry_run: bool) -> Answer:
    """Drain the default partition month by month and make the months ahead; safe to repeat."""
    project = current_project()
    with connect(project, "owner") as connection:
        if dry_run:
            return _plan(*keeper.inspect(connection, table), ahead=project.config.agent.partitions_ahead)
        outcome = keeper.run(connection, table, ahead=project.config.agent.partitions_ahead)
    data = {
        "table": outcome.table,
        "created": list(outcome.created),
        "moved": outcome.moved,
        "left": outcome.left,
        "why_left": outcome.why_left,
    }
    return Answer(data, _outcome_text(outcome), 1 if outcome.left else 0)


@partitions.command()
@_table
@answers
def plan(table: str) -> Answer:
    """Print what `run` would do."""
    project = current_project()
    with connect(project, "owner") as connection:
        return _plan(*keeper.inspect(connection, table), ahead=project.config.agent.partitions_ahead)


@partitions.command("list")
@_table
@answers
def list_(table: str) -> Answer:
    """List the table's partitions and the rows that lie in the default one."""
    with connect(current_project(), "owner") as connection:
        layout, contents = keeper.inspect(connection, table)
    shown = [{"name": each.name, "from": each.lower, "to": each.upper, "default": each.is_default} for each in layout.partitions]
    lines = [f"{each.name:<28} {_span(each)}" for each in layout.partitions]
    left = sum(contents.values())
    text = "\n".join([*lines, f"{counted(left, 'row')} in the default partition"])
    return Answer({"table": f"{layout.schema}.{layout.table}", "partitions": shown, "rows_in_default": left}, text)


def _plan(layout: keeper.Layout, contents: dict[keeper.Month | None, int], *, ahead: int) -> Answer:
    work = keeper.plan(layout, contents, now=now(), ahead=ahead)
    drain = {layout.name_of(month): rows for month, rows in work.drain.items()}
    create = [layout.name_of(month) for month in work.create]
    place = {"table": f"{layout.schema}.{layout.table}", "left": work.left, "why_left": work.why_left}
    data = {"drain": drain, "create": create} | place
    lines = [f"drain  {name}  {counted(rows, 'row')}" for name, rows in drain.items()]
    lines += [f"create {name}" for name in create]
    lines += [f"{counted(work.left, 'row')} to stay in the default partition: {work.why_left}"] if work.left else []
    return Answer(data, "\n".join(lines) or "nothing to do")


def _outcome_text(outcome: keeper.Outcome) -> str:
    lines = [f"moved   {rows:>12,} rows to {name}" for name, rows in outcome.moved.items()]
    lines += [f"created {name}" for name in outcome.created if name not in outcome.moved]
    lines += [f"{counted(outcome.left, 'row')} left in the default partition: {outcome.why_left}"] if outcome.left else []
    return "\n".join(lines) or f"{outcome.table}: nothing to do"


def _span(partition: keeper.Partition) -> str:
    if partition.is_default:
        return "what no other takes"
    return f"{partition.lower or 'the beginning'} to {partition.upper or 'the end'}"
