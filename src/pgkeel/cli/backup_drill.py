"""`pgkeel backup drill`: restore a backup to prove it."""

from typing import Any

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project, require_yes, talk

__all__ = ["drill"]

_MARKS = {True: "✓", False: "✗", None: "-"}


@click.command()
@click.argument("name", metavar="[ID]", required=False)
@click.option(
    "--from", "source", metavar="REPOSITORY", help="Only from this one: a configured name, a folder, or s3://BUCKET/PREFIX."
)
@click.option("--both-ways", is_flag=True, help="Restore the full backup with all of the WAL too; every row must be the same.")
@click.option("--list", "history", is_flag=True, help="Show what earlier drills have shown, and restore nothing.")
@click.option("--dry-run", is_flag=True, help="Say which backup would be restored.")
@click.option("--yes", is_flag=True, help="Run without a terminal; at one, this verb asks nothing.")
@answers
def drill(name: str | None, source: str | None, *, both_ways: bool, history: bool, dry_run: bool, yes: bool) -> Answer:
    """Restore a backup, the newest unless ID is given, into a scratch server; verify it, and measure how long it took.

    What was seen is kept in the repository. A backup counts as verified only after a good drill. Exits 1 when a check fails.
    """
    from pgkeel.stack.drilling import drill as carry_out  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.stack.drilling import drills, plan_drill  # noqa: PLC0415 - as above

    project = current_project()
    if history:
        found = drills(project)
        return Answer([_data(one) for one in found], "\n".join(_line(one) for one in found) or "There was no drill.")
    if dry_run:
        backup = plan_drill(project, backup=name, source=source)
        return Answer({"backup": backup}, f"would restore {backup}")
    require_yes(yes=yes)
    done = carry_out(project, report=talk, backup=name, source=source, both_ways=both_ways)
    lines = [_line(done), *(f"{_MARKS[check.ok]} {check.name}: {check.detail}" for check in done.checks)]
    return Answer(_data(done), "\n".join(lines), 0 if done.is_good else 1)


def _data(one: Any) -> dict[str, Any]:  # noqa: ANN401 - a Drill: its module needs the extra [backup]
    data = msgspec.to_builtins(one)
    return {
        key: data[key] for key in ("id", "backup", "target", "rto_seconds", "rpo_seconds", "repository", "checks", "finished_at")
    }


def _line(one: Any) -> str:  # noqa: ANN401 - as above
    lacked = f"RPO {one.rpo_seconds} s" if one.rpo_seconds is not None else "RPO unknown: the server's own WAL is not here"
    measured = f"RTO {one.rto_seconds} s, {lacked}" if one.rto_seconds is not None else "was not restored"
    return f"{one.finished_at:%Y-%m-%d %H:%M:%SZ}  {one.backup}  {'good' if one.is_good else 'NOT GOOD'}  {measured}"
