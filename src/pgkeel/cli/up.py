"""`pgkeel up`, `down`, `status`, `reset`: the life of the stack."""

import click

from pgkeel.cli.answer import Answer, answers, confirm, current_project, talk
from pgkeel.cli.stack_text import status_data, status_text
from pgkeel.core.errors import Refused
from pgkeel.stack.down import down as take_down
from pgkeel.stack.reset import plan_reset
from pgkeel.stack.reset import reset as delete
from pgkeel.stack.status import Status
from pgkeel.stack.status import status as look
from pgkeel.stack.up import plan_up
from pgkeel.stack.up import up as bring_up

__all__ = ["down", "reset", "status", "up"]

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")


@click.command()
@click.option("--yes", is_flag=True, help="Allow writing to an external database ([database] url).")
@_DRY_RUN
@answers
def up(*, yes: bool, dry_run: bool) -> Answer:
    """Start PostgreSQL, Valkey and the agent, and apply the migrations that are pending.

    It may be run at any time: what runs is left alone, what a crash left behind is repaired. With an external database
    ([database] url) no server is started, and nothing is written there without --yes or `manage = true`.
    """
    project = current_project()
    if dry_run:
        steps = plan_up(project)
        return Answer({"steps": list(steps)}, "\n".join([*steps, "Next: pgkeel up"]) if steps else "Nothing to do.")
    now = bring_up(project, yes=yes, report=talk)
    return Answer(status_data(now), status_text(project, now, step="pgkeel psql · pgkeel url · pgkeel status"))


@click.command()
@_DRY_RUN
@answers
def down(*, dry_run: bool) -> Answer:
    """Stop the agent, Valkey and PostgreSQL; the data stays, and `pgkeel up` brings it back."""
    project = current_project()
    if dry_run:
        running = look(project)
        parts = {
            "the agent": running.agent,
            "Valkey": running.valkey,
            "PostgreSQL": None if project.is_external else running.postgres,
        }
        steps = [f"stop {name}" for name, part in parts.items() if part is not None and part.running]
        return Answer({"steps": steps}, "\n".join([*steps, "Next: pgkeel down"]) if steps else "Nothing runs.")
    now = take_down(project, report=talk)
    return Answer(status_data(now), "Stopped; the data stays.\nNext: pgkeel up")


@click.command()
@answers
def status() -> Answer:
    """Show what runs, where, as whom, and how many migrations are applied.

    Exits 0 when everything runs that should, else 1.
    """
    project = current_project()
    now = look(project)
    return Answer(status_data(now), status_text(project, now, step=_next(now)), 0 if now.is_healthy else 1)


def _next(now: Status) -> str:
    if now.recovery is not None:
        return "pgkeel recover resume · pgkeel recover undo"
    if now.is_healthy:
        return "pgkeel psql"
    return "pgkeel agent status" if now.postgres.running and now.agent.running else "pgkeel up"


@click.command()
@click.option("--with-backups", is_flag=True, help="Delete the backups too that lie beside the stack, and what opens them.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_DRY_RUN
@answers
def reset(*, with_backups: bool, yes: bool, dry_run: bool) -> Answer:
    """Stop the embedded stack and delete its data: databases, passwords, certificates, the agent's state.

    Only folders that pgkeel made are deleted, and no link is followed. Migrations, pgkeel.toml and backups stay.
    """
    project = current_project()
    folders = [str(folder) for folder in plan_reset(project, with_backups=with_backups)]
    if dry_run or not folders:
        return Answer({"folders": folders, "deleted": False}, "\n".join(folders) if folders else "Nothing to delete.")
    if not confirm(f"Delete {', '.join(folders)} with everything in it?", yes=yes):
        raise Refused("nothing was deleted", hint="`pgkeel reset --yes` deletes without asking")
    delete(project, report=talk, with_backups=with_backups)
    return Answer({"folders": folders, "deleted": True}, "Deleted.\nNext: pgkeel up")
