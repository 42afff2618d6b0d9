"""`pgkeel security audit apply|verify|search|anchor`: the log of who changed what."""

from contextlib import ExitStack, closing
from datetime import UTC, datetime

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project
from pgkeel.cli.groups import Group
from pgkeel.core.errors import UsageError
from pgkeel.core.project import Project
from pgkeel.core.telling import counted
from pgkeel.postgres import Connection
from pgkeel.security import audit as log
from pgkeel.security.audit import Entry, Verdict
from pgkeel.stack.audit import sinks, watched
from pgkeel.stack.connection import connect

__all__ = ["audit"]


class NoLog(UsageError):
    """This database has no audit log."""

    code = "no_audit_log"


@click.group(cls=Group)
def audit() -> None:
    """Who changed what: a log that cannot be rewritten quietly."""


@audit.command()
@click.option("--dry-run", is_flag=True, help="Print what would be done; write nothing.")
@answers
def apply(*, dry_run: bool) -> Answer:
    """Make the log watch what `[security] audit` declares; needs a superuser."""
    project = current_project()
    with closing(_connect(project, "apply")) as connection:
        plan = log.plan(connection, watched(project, connection))
        if plan.steps and not dry_run:
            log.install(connection, plan)
    return Answer({"dry_run": dry_run, "steps": list(plan.steps)}, "\n".join(plan.steps) or "everything is as declared")


@audit.command()
@answers
def verify() -> Answer:
    """Prove that the log is as it was written; exit 1 when it is not."""
    project = current_project()
    with closing(_log_of(project, "verify")) as connection:
        found = log.verify(connection, sinks(project))
    return Answer(msgspec.to_builtins(found), _verdict(found), int(bool(found.problems)))


@audit.command()
@click.option("--table", help='Only this table: "posts" or "public.posts".')
@click.option("--row", help="Only the row with this key.")
@click.option("--actor", help="Only what this user of the application did.")
@click.option("--operation", type=click.Choice(["insert", "update", "delete", "truncate", "ddl", "role"]), help="Only this.")
@click.option("--since", metavar="TIME", help="From this time on (ISO 8601; without an offset UTC).")
@click.option("--until", metavar="TIME", help="Before this time.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="So many at most.")
@answers
def search(
    table: str | None,
    row: str | None,
    actor: str | None,
    operation: str | None,
    since: str | None,
    until: str | None,
    limit: int,
) -> Answer:
    """Show what happened, newest first."""
    full_name = table if table is None or "." in table else f"public.{table}"
    bounds = {"since": _time(since, "--since"), "until": _time(until, "--until")}
    with closing(_log_of(current_project(), "search")) as connection:
        found = log.search(connection, table=full_name, row=row, actor=actor, operation=operation, limit=limit, **bounds)
    return Answer({"entries": msgspec.to_builtins(found)}, "\n".join(map(_line, found)) or "nothing")


@audit.command()
@click.option("--dry-run", is_flag=True, help="Say what would be sealed and written where; do neither.")
@answers
def anchor(*, dry_run: bool) -> Answer:
    """Seal what can be sealed and write the newest seal outside of the database; print it, to be kept elsewhere."""
    project = current_project()
    places = sinks(project)
    with closing(_log_of(project, "anchor", sealing=not dry_run)) as connection:
        if dry_run:
            rows, where = log.waiting(connection), [sink.name for sink in places]
            text = f"would seal {counted(rows, 'row')}, and write a seal to {', '.join(where)}"
            return Answer({"would_seal": rows, "sinks": where}, text)
        sealed = log.seal(connection)
        newest = log.anchor(connection, places)
    shown = f"seal {newest.seal} {newest.digest}" if newest else "there is nothing to anchor yet"
    names = [sink.name for sink in places]
    return Answer({"sealed": sealed, "anchor": msgspec.to_builtins(newest), "sinks": names}, "\n".join([shown, *names]))


def _connect(project: Project, verb: str) -> Connection:
    return connect(project, "superuser", application=f"pgkeel security audit {verb}")


def _log_of(project: Project, verb: str, *, sealing: bool = False) -> Connection:
    connection = _connect(project, verb)
    with ExitStack() as when_refused:
        when_refused.callback(connection.close)
        if not log.is_installed(connection):
            raise NoLog(hint="`pgkeel security audit apply` makes one")
        log.check_rights(connection, sealing=sealing)
        when_refused.pop_all()
    return connection


def _time(text: str | None, option: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(f"{option}: {text!r} is no time", hint="2026-11-25T14:00:00+01:00") from None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _verdict(found: Verdict) -> str:
    lines = [f"✗ {one.kind}: {one.detail}" for one in found.problems]
    sealed, unsealed = counted(found.sealed, "row"), counted(found.unsealed, "row")
    head = (
        f"{sealed} under {counted(found.seals, 'seal')}, {counted(found.anchors, 'anchor')} compared, {unsealed} not sealed yet"
    )
    warning = () if found.anchors else ("without an anchor, somebody who rewrote everything is not seen",)
    return "\n".join([*lines, head, *warning])


def _line(one: Entry) -> str:
    """Return an entry as one line, whatever somebody put into it: a line break of his would begin an entry that never was."""
    who = one.actor or one.db_role
    line = f"{one.at:%Y-%m-%d %H:%M:%S}  {who:<20} {one.operation:<8} {one.table_name} {one.row_id or ''}  {_change(one)}"
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line.rstrip())


def _change(one: Entry) -> str:
    """Return the columns that differ, or all of a row that came or went."""
    before, after = one.before or {}, one.after or {}
    names = [name for name in {**before, **after} if name not in before or name not in after or before[name] != after[name]]
    return ", ".join(f"{name}: {_arrow(before.get(name), after.get(name))}" for name in names)


def _arrow(before: object, after: object) -> str:
    return f"{before} → {after}" if before is not None and after is not None else f"{after if before is None else before}"
