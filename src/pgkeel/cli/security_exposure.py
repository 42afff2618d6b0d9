"""`pgkeel security exposure|updates|at-rest`: how far one can get in, what is old, and what lies encrypted on disk."""

from contextlib import closing

import click
import msgspec

from pgkeel.cli.answer import Answer, answers, current_project, talk
from pgkeel.security.exposure import app_networks, exposure_of
from pgkeel.security.updates import Judged
from pgkeel.stack.at_rest import at_rest
from pgkeel.stack.connection import connect
from pgkeel.stack.updates import Moved, apply_updates
from pgkeel.stack.updates import updates as updates_of

__all__ = ["at_rest_command", "exposure", "updates"]

_MARKS = {"current": "✓", "outdated": "✗", "unknown": "?", "yes": "✓", "no": "✗", "attested": "·"}


@click.command()
@answers
def exposure() -> Answer:
    """Show every way in that is wider than `[security] app_networks`; exit 1 when there is one."""
    project = current_project()
    networks = app_networks(project.config.security)
    with closing(connect(project, "superuser", application="pgkeel security exposure")) as connection:
        found = exposure_of(connection, networks)
    lines = [f"✗ {one.subject}\n  {one.problem}\n  → {one.fix}" for one in found.findings]
    lines += [f"? {one.what}: not evaluated ({one.reason})" for one in found.not_evaluated]
    inside = ", ".join(map(str, networks))
    return Answer(msgspec.to_builtins(found), "\n".join(lines) or f"✓ nobody gets in from outside of {inside}", int(bool(lines)))


@click.command()
@click.option("--apply", is_flag=True, help="Move the embedded server to the newest minor of its major, with a restart.")
@click.option("--dry-run", is_flag=True, help="With --apply: say from where to where; restart nothing.")
@answers
def updates(*, apply: bool, dry_run: bool) -> Answer:
    """Compare server, OpenSSL and wheels with the newest that this pgkeel knows; exit 1 when one is old, or the table is."""
    project = current_project()
    moved = apply_updates(project, talk, dry_run=dry_run) if apply else None
    found = updates_of(project)
    lines = [_line(one) for one in found.components]
    if found.is_stale:
        lines.append(f"? this table is of {found.known_on}, which is long ago: update pgkeel to know what is newest")
    if moved is not None:
        lines.append(_moved(moved) + (" (not done: --dry-run)" if dry_run and moved.before != moved.after else ""))
    data = {**msgspec.to_builtins(found), "moved": msgspec.to_builtins(moved), "dry_run": dry_run}
    return Answer(data, "\n".join(lines), 0 if found.is_fine else 1)


@click.command(name="at-rest")
@answers
def at_rest_command() -> Answer:
    """Tell whether data directory and swap lie encrypted on disk: yes, no, or unknown; exit 1 unless yes or attested."""
    found = at_rest(current_project())
    lines = [f"{_MARKS.get(one.answer, '?')} {what:<15} {one.answer}: {one.reason}" for what, one in found.items()]
    is_fine = all(one.answer in {"yes", "attested"} for one in found.values())
    return Answer(msgspec.to_builtins(found), "\n".join(lines), 0 if is_fine else 1)


def _line(one: Judged) -> str:
    newest = f" (newest known: {one.newest})" if one.newest and one.state == "outdated" else ""
    fix = f"\n  → {one.fix}" if one.fix else ""
    return f"{_MARKS[one.state]} {one.component:<28} {one.found or '-'}{newest}{fix}"


def _moved(moved: Moved) -> str:
    if moved.before == moved.after:
        return f"PostgreSQL {moved.before} is the newest minor that there is here: nothing to move"
    return f"PostgreSQL {moved.before} → {moved.after}"
