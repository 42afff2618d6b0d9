"""`pgkeel recover`: bring the database, or only rows of it, back to a point; look at how it was; undo."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pgkeel.cli.answer import Answer, answers, confirm, current_project, require_yes, talk
from pgkeel.cli.groups import Group
from pgkeel.core.clock import now
from pgkeel.core.errors import Refused, UsageError
from pgkeel.core.files import require_folder_of

if TYPE_CHECKING:
    from pgkeel.backup.recovery.resolve import Plan
    from pgkeel.backup.recovery.wish import Wish

__all__ = ["recover"]

Agree = Callable[["Plan"], bool]

_POINT = 'ISO 8601 (no offset: UTC), "10 minutes ago", a restore point, or an LSN.'
_STATEMENT = '"DELETE|UPDATE|TRUNCATE|DROP on [SCHEMA.]TABLE"'
_CHOICE = (
    click.option("--before-xid", type=click.IntRange(min=3), metavar="N", help="Just before this transaction."),
    click.option("--before", metavar="STATEMENT", help=f"Just before the transaction that did {_STATEMENT}."),
    click.option("--latest", is_flag=True, help="Of several such transactions take the last."),
    click.option("--rows", metavar='">= N"', help="Only transactions that changed so many rows."),
    click.option("--since", metavar="TIME", help="How far back transactions and names are looked for.  [default: 26 hours]"),
    click.option("--timeline", type=click.IntRange(min=1), help="The timeline; that of the newest backup when not given."),
    click.option("--from", "source", metavar="REPOSITORY", help="A configured name, a folder, or s3://BUCKET/PREFIX."),
)
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
_SAFETY = (click.option("--dry-run", is_flag=True, help="Find the point, print the plan, change nothing."), _YES)
_WHOLE = (
    click.option("--to", metavar="TIME|NAME|LSN", help=_POINT),
    *_CHOICE,
    click.option("--keep-sessions", is_flag=True, help="Let logins that lived at that point go on."),
    click.option("--system", metavar="ID", help="Which cluster, where the repository holds several."),
    click.option(
        "--into", type=click.Path(path_type=Path), metavar="DIR", help="Bring it up in this folder, beside the real one."
    ),
    *_SAFETY,
)


def _with(options: tuple[Callable[[Any], Any], ...]) -> Callable[[Any], Any]:
    def decorate(command: Any) -> Any:  # noqa: ANN401 - click's decorators
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command()
@_with(_WHOLE)
@answers
def _everything(*, keep_sessions: bool, system: str | None, into: Path | None, dry_run: bool, yes: bool, **point: Any) -> Answer:  # noqa: ANN401
    from pgkeel.cli import recover_text as words  # noqa: PLC0415 - needs the extra [backup]; `--help` does not
    from pgkeel.stack.recover_into import recover_into  # noqa: PLC0415 - as above
    from pgkeel.stack.recovering import recover as carry_out  # noqa: PLC0415 - as above

    project = current_project()
    wish, since, source = _wish(**point)
    given: dict[str, Any] = {"report": talk, "source": source, "since": since}

    def work(agree: Agree) -> Answer:
        if into is not None:
            made = recover_into(project, wish, into, agree=agree, system=system, **given)
            return Answer(words.into_data(made), words.into_text(made))
        done = carry_out(project, wish, agree=agree, keep_sessions=keep_sessions, system=system, **given)
        return Answer(words.journal_data(done), "\n".join([words.journal_text(done), *words.elsewhere_text(source, project)]))

    return _planned(work, "Stop the application and recover to this point?", is_whole=True, dry_run=dry_run, yes=yes)


@click.group(cls=Group, invoke_without_command=True)
@_with(_WHOLE)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout and nothing else.")
@click.pass_context
def recover(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click's options
    """Bring the database back to a point in time, in five steps that survive being killed.

    Stop the application, restore into a new folder, apply WAL to exactly the point, verify, resume. The point is found and
    shown before anything runs; without one, everything that is known is recovered. The old server's folder is kept for
    `pgkeel recover undo`. Nothing is restored over data, and without a terminal nothing runs without --yes.
    """
    if context.invoked_subcommand is None:
        context.invoke(_everything, **options)


@recover.command("rows")
@click.option("--table", required=True, metavar="[SCHEMA.]TABLE", help="Whose rows.")
@click.option("--at", "to", metavar="TIME|NAME|LSN", help=f"When they were still there: {_POINT}")
@_with(_CHOICE)
@click.option("--where", default="true", metavar="SQL", help="Which rows, as they were; all that are gone when not given.")
@click.option("--changed", is_flag=True, help="Set rows back, too, that live but differ; needs --where.")
@click.option(
    "--sql", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write the statements there and change nothing."
)
@_with(_SAFETY)
@answers
def rows_(*, table: str, where: str, changed: bool, file: Path | None, dry_run: bool, yes: bool, **point: Any) -> Answer:  # noqa: ANN401
    """Put back rows that were deleted, while everything newer stays.

    A copy of the database as it was is compared with the one that runs. Missing parents come first, then the rows, then what
    the cascade took and the references that it emptied: verbatim, in one transaction. What lives again is not touched.
    """
    from pgkeel.backup.rows.shape import Table  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.cli import recover_text as words  # noqa: PLC0415 - as above
    from pgkeel.stack.beside import recover_rows  # noqa: PLC0415 - as above

    project = current_project()
    if file is not None:
        require_folder_of(file)
    if point["to"] is None and point["before"] is None and point["before_xid"] is None:
        raise UsageError("rows as of when?", hint=f'add --at "10 minutes ago" or --before "DELETE on {table}"')
    wish, since, source = _wish(**point)
    is_free, written = dry_run or file is not None, None if dry_run else file

    def agree(plan: "Plan") -> bool:
        talk(words.plan_text(plan, is_whole=False))
        return is_free or confirm(f"Put the rows of {table} back?", yes=yes)

    plan, done = recover_rows(
        project,
        Table.parse(table),
        wish,
        report=talk,
        agree=agree,
        where=where,
        changed=changed,
        dry_run=is_free,
        script=written is not None,
        source=source,
        since=since,
    )
    if written is not None:
        words.write_script(written, done)
    return Answer(
        words.rows_data(plan, done, written), words.rows_text(plan, done, written, dry_run=is_free), 1 if done.conflicts else 0
    )


@recover.command("beside")
@click.option("--at", "to", metavar="TIME|NAME|LSN", help=_POINT)
@_with(_CHOICE)
@click.option("--end", is_flag=True, help="Stop the copy and delete it.")
@_with(_SAFETY)
@answers
def beside_(*, end: bool, dry_run: bool, yes: bool, **point: Any) -> Answer:  # noqa: ANN401 - click's options
    """Start a read-only copy of the database as it was, for looking; it stays until --end."""
    from pgkeel.cli import recover_text as words  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.stack.beside import end_beside, has_beside, open_beside  # noqa: PLC0415 - as above

    project = current_project()
    if end:
        require_yes(yes=yes or dry_run)
        is_there = has_beside(project) if dry_run else end_beside(project)
        text = ("Would delete it." if dry_run else "Deleted.") if is_there else "There is no copy."
        return Answer({"ended": is_there, "dry_run": dry_run}, text)
    wish, since, source = _wish(**point)

    def work(agree: Agree) -> Answer:
        made = open_beside(project, wish, report=talk, agree=agree, source=source, since=since)
        return Answer(words.beside_data(made), f"psql {made.url.reveal()!r}\nNext: pgkeel recover beside --end")

    return _planned(work, "Start a copy as of this point?", is_whole=False, dry_run=dry_run, yes=yes)


@recover.command("status")
@click.option("--dry-run", is_flag=True, expose_value=False, help="Accepted by every verb; this one only reads.")
@click.option("--yes", is_flag=True, expose_value=False, help="Accepted by every verb; this one only reads.")
@answers
def status_() -> Answer:
    """Show the last recovery, step by step; exit 1 while it is open."""
    from pgkeel.cli import recover_text as words  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.stack.recovery_undo import last_recovery  # noqa: PLC0415 - as above

    found = last_recovery(current_project())
    if found is None:
        return Answer(None, "There was no recovery.")
    return Answer(words.journal_data(found), words.journal_text(found), 1 if found.state == "open" else 0)


@recover.command("resume")
@click.option("--accept-checks", is_flag=True, help="Go on although a check of step 4 failed.")
@click.option("--into", type=click.Path(path_type=Path), metavar="DIR", help="The one that was stopped in this folder.")
@_DRY_RUN
@_YES
@answers
def resume_(*, accept_checks: bool, into: Path | None, dry_run: bool, yes: bool) -> Answer:
    """Finish a recovery that was killed, or that a check or a prepared transaction stopped."""
    from pgkeel.cli import recover_text as words  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.stack.recover_into import resume_into  # noqa: PLC0415 - as above
    from pgkeel.stack.recovering import resume  # noqa: PLC0415 - as above
    from pgkeel.stack.recovery_undo import open_recovery  # noqa: PLC0415 - as above

    project = current_project()
    if into is not None:

        def work(agree: Agree) -> Answer:
            made = resume_into(project, into, report=talk, agree=agree, accept_checks=accept_checks)
            return Answer(words.into_data(made), words.into_text(made))

        return _planned(work, f"Go on with the recovery in {into}?", is_whole=True, dry_run=dry_run, yes=yes)
    found = open_recovery(project)
    if dry_run:
        return Answer(words.journal_data(found), words.journal_text(found))
    if not confirm(f"Go on with recovery {found.id}?", yes=yes):
        raise Refused("nothing was changed", hint="add --yes")
    done = resume(project, report=talk, accept_checks=accept_checks)
    return Answer(words.journal_data(done), words.journal_text(done))


@recover.command("undo")
@_DRY_RUN
@_YES
@answers
def undo_(*, dry_run: bool, yes: bool) -> Answer:
    """Bring the server back that the last recovery replaced; the recovered one is kept beside it."""
    from pgkeel.cli import recover_text as words  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.stack.recovery_undo import undo, undoable  # noqa: PLC0415 - as above

    project = current_project()
    found = undoable(project)
    if dry_run:
        return Answer(words.journal_data(found), f"would bring back {found.undo}")
    if not confirm(f"Leave what recovery {found.id} brought, and go back to {found.undo}?", yes=yes):
        raise Refused("nothing was changed", hint="add --yes")
    done = undo(project, report=talk)
    return Answer(words.journal_data(done), words.journal_text(done))


def _planned(work: Callable[[Agree], Answer], question: str, *, is_whole: bool, dry_run: bool, yes: bool) -> Answer:
    """Do the work if a person agrees to its plan; with a dry run the plan is the answer."""
    from pgkeel.cli import recover_text as words  # noqa: PLC0415 - needs the extra [backup]

    seen: list[Plan] = []

    def agree(plan: "Plan") -> bool:
        seen.append(plan)
        if not dry_run:
            talk(words.plan_text(plan, is_whole=is_whole))
        return not dry_run and confirm(question, yes=yes)

    try:
        return work(agree)
    except Refused:
        if dry_run and seen:
            return Answer(words.plan_data(seen[0]), words.plan_text(seen[0], is_whole=is_whole))
        raise


def _wish(
    *,
    to: str | None,
    before_xid: int | None,
    before: str | None,
    latest: bool,
    rows: str | None,
    since: str | None,
    timeline: int | None,
    source: str | None,
) -> tuple["Wish", datetime | None, str | None]:
    from pgkeel.backup.recovery.wish import time_from, wish_from  # noqa: PLC0415 - needs the extra [backup]

    at = now()
    wish = wish_from(to, before_xid=before_xid, before=before, latest=latest, rows=rows, timeline=timeline, now=at)
    return wish, None if since is None else time_from(since, at), source
