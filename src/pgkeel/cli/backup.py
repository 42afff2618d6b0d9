"""`pgkeel backup …`: take backups, list, check, keep and prune them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import click

from pgkeel.cli.answer import Answer, answers, confirm, current_project, require_yes, talk
from pgkeel.cli.backup_drill import drill
from pgkeel.cli.backup_text import Progress, list_text, record_data, record_text, row_data
from pgkeel.cli.groups import Group
from pgkeel.core.errors import KeelError, Refused
from pgkeel.core.project import Project
from pgkeel.core.repository import Repository
from pgkeel.core.telling import counted
from pgkeel.core.units import Size, format_duration

__all__ = ["backup"]

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_UNATTENDED = click.option("--yes", is_flag=True, help="Run without a terminal; at one, this verb asks nothing.")
_UNASKED = click.option("--yes", is_flag=True, expose_value=False, help="Accepted by every verb; this one only reads.")
_IDLE = click.option("--dry-run", is_flag=True, expose_value=False, help="Accepted by every verb; this one only reads.")
_NO_BUCKET = "There is no bucket: only those have object lock."
_REPOSITORY = click.option("--repository", metavar="NAME", help="Only this one of [backup] repositories.")


@click.group(cls=Group)
def backup() -> None:
    """Take, list, check, drill, keep and prune backups."""


backup.add_command(drill)


@backup.command()
@_DRY_RUN
@_UNATTENDED
@answers
def full(*, dry_run: bool, yes: bool) -> Answer:
    """Take a full backup: all of the data, with the WAL that makes it consistent."""
    return _take("full", dry_run=dry_run, yes=yes)


@backup.command()
@_DRY_RUN
@_UNATTENDED
@answers
def incremental(*, dry_run: bool, yes: bool) -> Answer:
    """Take what changed since the last full backup; where that is not sound, seal the WAL since then, or take a full one.

    The answer says which and why. Native incremental backups are sound on PostgreSQL 17.11, 18.6 and newer, with checksums.
    """
    return _take("incremental", dry_run=dry_run, yes=yes)


@backup.command("list")
@_REPOSITORY
@_IDLE
@_UNASKED
@answers
def list_(repository: str | None) -> Answer:
    """List backups, the times that can be restored, and gaps; needs neither the database nor a key."""
    from pgkeel.backup.overview import overview  # noqa: PLC0415 - needs the extra [backup]; the list of commands does not
    from pgkeel.stack.adopting import adopted_overview, engine_of  # noqa: PLC0415 - as above
    from pgkeel.stack.vault import policy_of, repositories_of  # noqa: PLC0415 - as above

    project = current_project()
    engine = engine_of(project)
    if engine is not None:
        found = adopted_overview(project, engine)
    else:
        chosen = repositories_of(project, *([] if repository is None else [repository]))[0]
        found = overview(chosen, policy_of(project))
    data = {
        "backups": [row_data(entry) for entry in found.entries],
        "restorable": [{"from": span.start, "to": span.end, "timeline": span.timeline} for span in found.restorable],
        "gaps": [{"timeline": gap.timeline, "from_lsn": gap.from_lsn, "to_lsn": gap.to_lsn} for gap in found.gaps],
    }
    return Answer(data, list_text(found), 1 if found.damaged else 0)


@backup.command()
@click.argument("name", metavar="ID")
@_REPOSITORY
@_IDLE
@_UNASKED
@answers
def show(name: str, repository: str | None) -> Answer:
    """Show one backup: what it is, what it needs, where it lies."""
    from pgkeel.stack.backup_store import find_backup, states_of  # noqa: PLC0415 - needs the extra [backup]

    project = current_project()
    record = find_backup(project, name, *([] if repository is None else [repository]))
    data = {**record_data(record, states_of(project, record)), "server_version": record.server_version, "size": record.size}
    return Answer(data, record_text(record, states_of(project, record)))


@backup.command()
@_REPOSITORY
@click.option("--locks", is_flag=True, help="Try whether the buckets refuse to delete a locked object, and read nothing else.")
@click.option("--dry-run", is_flag=True, help="With --locks: say which buckets would be tried.")
@click.option("--yes", is_flag=True, help="With --locks: run without a terminal.")
@answers
def verify(repository: str | None, *, locks: bool, dry_run: bool, yes: bool) -> Answer:
    """Read every object of a repository, or of all, bit by bit; needs neither the database nor a key.

    Exits 1 where something is damaged, or WAL is missing between two segments.
    """
    from pgkeel.backup import verify as verify_repository  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.stack.adopting import engine_of  # noqa: PLC0415 - as above
    from pgkeel.stack.vault import repositories_of  # noqa: PLC0415 - as above

    engine = engine_of(current_project())
    if engine is not None:
        return _faults(engine)
    chosen = repositories_of(current_project(), *([] if repository is None else [repository]))
    if locks and dry_run:
        return _would_probe(chosen)
    if locks:
        require_yes(yes=yes)
        return _probe(chosen)
    verdicts, unreachable = {}, list[KeelError]()
    for one in chosen:
        try:
            with Progress(talk) as progress:
                verdicts[one.name] = verify_repository(one, progress=progress)
        except KeelError as err:
            unreachable.append(err)
    damaged = [
        {"object": f"{name}:{fault.object}", "reason": fault.reason}
        for name, verdict in verdicts.items()
        for fault in (*verdict.damaged, *verdict.missing)
    ]
    checked = sum(verdict.checked for verdict in verdicts.values())
    lines = [f"{fault['object']}: {fault['reason']}" for fault in damaged]
    text = "\n".join([*lines, f"{counted(checked, 'object')} read in {', '.join(verdicts)}, {len(damaged)} damaged"])
    if unreachable:
        if verdicts:
            talk(text)
        first = unreachable[0]
        raise type(first)(first.message, hint=first.hint, data={**first.data, "checked": checked, "damaged": damaged}) from first
    return Answer({"checked": checked, "damaged": damaged}, text, 1 if damaged else 0)


@backup.command()
@_REPOSITORY
@_DRY_RUN
@_YES
@answers
def prune(repository: str | None, *, dry_run: bool, yes: bool) -> Answer:
    """Delete what nothing inside [backup] window needs; kept backups and everything that they build on stay."""
    from pgkeel.stack.adopting import require_own  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.stack.backup_store import carry_out_prune, plan_prunes  # noqa: PLC0415 - as above

    project = current_project()
    require_own(project, "prune")
    plans = plan_prunes(project, *([] if repository is None else [repository]))
    names = list(dict.fromkeys(record.id for plan in plans.values() for record in plan.backups))
    wal = sum(len(plan.wal) for plan in plans.values())
    lines = [f"{name}: delete {record.id}" for name, plan in plans.items() for record in plan.backups]
    lines += [f"{name}: delete {counted(len(plan.wal), 'object')} of WAL" for name, plan in plans.items() if plan.wal]
    planned: dict[str, Any] = {
        "backups": names,
        "wal": wal,
        "bytes": sum(plan.bytes for plan in plans.values()),
    }
    if dry_run or not (names or wal):
        return Answer({**planned, "locked": [], "dry_run": dry_run}, "\n".join(lines) or "Nothing to delete.")
    talk("\n".join(lines))
    if not confirm(f"Delete {counted(len(names), 'backup')} and {counted(wal, 'object')} of WAL?", yes=yes):
        raise Refused("nothing was deleted", hint="`pgkeel backup prune --yes` deletes without asking")
    done = carry_out_prune(project, plans)
    data = {**planned, "backups": list(done.backups), "wal": done.wal, "locked": list(done.locked), "dry_run": False}
    locked = f", {counted(len(done.locked), 'object')} locked and not yet due" if done.locked else ""
    return Answer(data, f"deleted {counted(len(done.backups), 'backup')} and {counted(done.wal, 'object')} of WAL{locked}")


@backup.command()
@click.argument("name", metavar="ID")
@click.option("--release", is_flag=True, help="Let it grow old as all others.")
@_DRY_RUN
@_UNATTENDED
@answers
def keep(name: str, *, release: bool, dry_run: bool, yes: bool) -> Answer:
    """Never prune a backup, nor what it builds on; --release takes that back."""
    from pgkeel.stack.backup_store import keep_backup  # noqa: PLC0415 - needs the extra [backup]

    require_yes(yes=yes or dry_run)
    record = keep_backup(current_project(), name, release=release, dry_run=dry_run)
    done = "grows old again" if release else "is kept"
    planned = "would grow old again" if release else "would be kept"
    data = {"id": record.id, "kept": not release, "dry_run": dry_run}
    return Answer(data, f"{record.id} {planned if dry_run else done}")


@backup.command()
@click.argument("name", metavar="ID")
@click.argument("target", type=click.Path(path_type=Path), metavar="FILE")
@_REPOSITORY
@_DRY_RUN
@_UNATTENDED
@answers
def export(name: str, target: Path, repository: str | None, *, dry_run: bool, yes: bool) -> Answer:
    """Write a backup as the plain tar that pg_basebackup made; needs [backup] identity. FILE must not exist."""
    from pgkeel.stack.backup_store import export_backup  # noqa: PLC0415 - needs the extra [backup]

    require_yes(yes=yes or dry_run)
    names = [] if repository is None else [repository]
    with Progress(talk) as progress:
        record = export_backup(current_project(), name, target, *names, dry_run=dry_run, progress=progress)
    data = {"id": record.id, "file": str(target), "bytes": record.size, "dry_run": dry_run}
    return Answer(data, f"{'would write' if dry_run else 'wrote'} {Size(record.size)} to {target}")


@backup.group()
def wal() -> None:
    """The WAL receiver."""


@wal.command("release")
@_DRY_RUN
@_UNATTENDED
@answers
def wal_release(*, dry_run: bool, yes: bool) -> Answer:
    """Let commits that wait for the receiver ([backup] rpo = "zero") go on without it, until it streams again."""
    from pgkeel.stack.synchrony import release  # noqa: PLC0415 - needs the extra [backup]

    require_yes(yes=yes or dry_run)
    released = release(current_project(), dry_run=dry_run)
    text = "commits wait for the receiver" if released and dry_run else "commits wait for nobody now"
    return Answer({"released": released, "dry_run": dry_run}, text)


def _faults(engine: Any) -> Answer:  # noqa: ANN401 - an Engine: its module needs the extra [backup]
    found = [{"object": fault.object, "reason": fault.reason} for fault in engine.faults()]
    lines = [f"{fault['object']}: {fault['reason']}" for fault in found]
    checked = len(engine.backups())
    text = "\n".join([*lines, f"{counted(checked, 'backup')} checked by {engine.name}, {counted(len(found), 'finding')}"])
    return Answer({"checked": checked, "damaged": found}, text, 1 if found else 0)


def _would_probe(repositories: Sequence[Repository]) -> Answer:
    from pgkeel.backup import Bucket  # noqa: PLC0415 - needs the extra [backup]

    names = [one.name for one in repositories if isinstance(one, Bucket)]
    return Answer({"locks": [], "would_try": names}, f"would try {', '.join(names)}" if names else _NO_BUCKET)


def _probe(repositories: Sequence[Repository]) -> Answer:
    from pgkeel.backup import Bucket  # noqa: PLC0415 - needs the extra [backup]

    found = {one.name: one.probe_lock() for one in repositories if isinstance(one, Bucket)}
    data = [{"repository": name, "ok": verdict.holds, "detail": verdict.detail} for name, verdict in found.items()]
    lines = [f"{'✓' if verdict.holds else '✗'} {name}: {verdict.detail}" for name, verdict in found.items()]
    failed = any(not verdict.holds for verdict in found.values())
    return Answer({"locks": data}, "\n".join(lines) or _NO_BUCKET, 1 if failed else 0)


def _take(wish: str, *, dry_run: bool, yes: bool) -> Answer:
    from pgkeel.stack import adopting, backup_store, backups  # noqa: PLC0415 - needs the extra [backup]; the list of commands does not

    require_yes(yes=yes or dry_run)
    project: Project = current_project()
    engine = adopting.engine_of(project)
    if engine is not None:
        return _take_adopted(project, engine, "full" if wish == "full" else "incremental", dry_run=dry_run)
    if dry_run:
        plan = backups.plan(project, "full" if wish == "full" else "incremental")
        parent = plan.parent.id if plan.parent else None
        data = {"id": plan.id, "kind": plan.kind, "parent": parent, "reason": plan.reason or None, "dry_run": True}
        return Answer(data, f"would take {plan.kind} {plan.id}{f': {plan.reason}' if plan.reason else ''}")
    with Progress(talk) as progress:
        record = backups.take(project, "full" if wish == "full" else "incremental", progress=progress, report=talk)
    with Progress(talk) as progress:
        states = backup_store.copy_backup(project, record, talk, progress)
    took = format_duration(record.finished_at - record.started_at)
    return Answer(record_data(record, states), f"{record_text(record, states)}\ntook {took}")


def _take_adopted(project: Project, engine: Any, wish: Literal["full", "incremental"], *, dry_run: bool) -> Answer:  # noqa: ANN401 - as above
    from pgkeel.stack.backup_store import states_of  # noqa: PLC0415 - needs the extra [backup]
    from pgkeel.stack.backups import take  # noqa: PLC0415 - as above

    if dry_run:
        data = {"id": None, "kind": wish, "parent": None, "reason": None, "dry_run": True}
        return Answer(data, f"{engine.name} would take {'a full' if wish == 'full' else 'an incremental'} backup")
    record = take(project, wish)
    states = states_of(project, record)
    return Answer(record_data(record, states), record_text(record, states))
