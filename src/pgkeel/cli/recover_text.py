"""How a recovery reads: the plan before it, the five steps during it, the rows after it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from pgkeel.backup.recovery.journal import Journal
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.backup.rows import RowsBack
from pgkeel.core.files import write_whole
from pgkeel.core.project import Project
from pgkeel.core.units import Size, format_duration
from pgkeel.stack.beside import Beside
from pgkeel.stack.recover_into import Into

__all__ = [
    "beside_data",
    "elsewhere_text",
    "into_data",
    "into_text",
    "journal_data",
    "journal_text",
    "plan_data",
    "plan_text",
    "rows_data",
    "rows_text",
    "write_script",
]

_FOUND = {True: "✓", False: "✗", None: "-"}
_MARKS = {"done": "✓", "running": "…", "waiting": "·"}


def plan_data(plan: Plan) -> dict[str, Any]:
    """Return the `data` object of a dry run."""
    target = msgspec.to_builtins(plan.target)
    return {
        "target": target,
        "backups": list(plan.chain),
        "bytes": plan.bytes,
        "wal_bytes": plan.wal_bytes,
        "predicted_seconds": plan.seconds,
        "loss_seconds": plan.lost.total_seconds(),
        "warnings": list(plan.warnings),
    }


def plan_text(plan: Plan, *, is_whole: bool) -> str:
    """Return the plan as a person reads it; only where the whole database goes back is anything left out."""
    kept = f"{plan.target.time:%Y-%m-%d %H:%M:%S.%fZ}" if plan.target.time else "the end of the backup"
    left = f"before xid {plan.target.xid}" if plan.target.xid else "everything that is known"
    return "\n".join(
        [
            f"target     {left}: last kept commit {kept}, {plan.target.lsn} on timeline {plan.target.timeline}",
            f"from       {' + '.join(plan.chain)} ({Size(plan.bytes)}) and {Size(plan.wal_bytes)} of WAL",
            f"takes      about {format_duration(timedelta(seconds=round(plan.seconds)))}",
            *([f"leaves out {_loss(plan.lost)}"] if is_whole else []),
            *(f"! {warning}" for warning in plan.warnings),
        ]
    )


def journal_data(journal: Journal) -> dict[str, Any]:
    """Return the `data` object of `recover`."""
    return {
        "id": journal.id,
        "state": journal.state,
        "target": msgspec.to_builtins(journal.plan.target),
        "steps": msgspec.to_builtins(journal.steps),
        "checks": msgspec.to_builtins(journal.checks),
        "data_directory": str(journal.directory / "data"),
        "undo_directory": str(journal.undo / "data") if journal.undo and journal.undo.is_dir() else None,
        "rto_seconds": journal.rto_seconds,
        "loss_seconds": journal.plan.lost.total_seconds(),
    }


def elsewhere_text(source: str | None, project: Project) -> list[str]:
    """Return what to write down after a recovery from a repository that the configuration does not name."""
    if source is None or source in project.config.backup.repositories:
        return []
    now = ", ".join(project.config.backup.repositories) or project.config.backup.directory
    return [f"! backups go to {now} now: write {source} into repositories of [backup] in pgkeel.toml to go on there"]


def journal_text(journal: Journal) -> str:
    """Return a recovery as a person reads it."""
    lines = [f"{_MARKS[step.state]} {step.number} {step.name:<22} {_took(step.seconds)}".rstrip() for step in journal.steps]
    if journal.state == "open":
        failed = [f"  ✗ {check.name}: {check.detail}" for check in journal.checks if check.ok is False]
        accept = " (--accept-checks goes on although a check failed)" if failed else ""
        step = f"Next: pgkeel recover resume{accept} · pgkeel recover undo"
        return "\n".join([f"recovery {journal.id} is open", *lines, *failed, step])
    if journal.state == "undone":
        kept = f"; what it brought is kept in {journal.side}: delete it when nobody needs it" if journal.side.is_dir() else ""
        return f"recovery {journal.id} is undone{kept}"
    is_kept = journal.undo is not None and journal.undo.is_dir()
    old = [f"the old server is kept in {journal.undo}: delete it when nobody needs it"] if is_kept else []
    at = f" at {journal.finished_at:%Y-%m-%d %H:%M:%SZ}" if journal.finished_at else ""
    head = f"recovery {journal.id} was done{at}"
    took = f"recovered to {journal.plan.target.lsn} in {_took(journal.rto_seconds)}, leaving out {_loss(journal.plan.lost)}"
    return "\n".join([head, took, *lines, *old, f"Next: pgkeel status{' · pgkeel recover undo' if is_kept else ''}"])


def rows_data(plan: Plan, done: RowsBack, file: Path | None) -> dict[str, Any]:
    """Return the `data` object of `recover rows`."""
    return {
        "table": done.table,
        "target": msgspec.to_builtins(plan.target),
        "deleted": done.deleted,
        "changed": done.changed,
        "restored": done.restored,
        "conflicts": msgspec.to_builtins(done.conflicts),
        "left_out": list(done.left_out),
        "added_columns": list(done.added),
        "dropped_columns": list(done.dropped),
        "warnings": list(done.warnings),
        "sql": str(file) if file else None,
    }


def rows_text(plan: Plan, done: RowsBack, file: Path | None, *, dry_run: bool) -> str:
    """Return what came back as a person reads it."""
    verb = "would come back" if dry_run else "came back"
    lines = [] if done.restored or done.changed or done.conflicts else _nothing(plan, done)
    lines += [f"{rows:>10,} {name} {verb}" for name, rows in done.restored.items()]
    lines += [f"{done.changed:>10,} {done.table} {'would be ' if dry_run else ''}set back"] if done.changed else []
    lines += [f"conflict   {one.table} {_key(one.key)}: {one.reason}" for one in done.conflicts[:20]]
    lines += [f"left out   {name}" for name in done.left_out]
    lines += [f"! column {name} did not exist then: its default" for name in done.added]
    lines += [f"! column {name} exists no more: its values stay behind" for name in done.dropped]
    lines += [f"! {warning}" for warning in done.warnings]
    return "\n".join([*lines, *([f"statements in {file}"] if file else [])])


def _nothing(plan: Plan, done: RowsBack) -> list[str]:
    at = f"{plan.target.time:%Y-%m-%d %H:%M:%SZ}" if plan.target.time else f"the end of {plan.chain[-1]}"
    finds = f"`pgkeel recover --before 'DELETE on {done.table}' --dry-run` finds when rows went"
    return [f"nothing that {done.table} had at {at} is missing now", f"Next: {finds}"]


def write_script(file: Path, done: RowsBack) -> None:
    """Write the statements that put the rows back, in one transaction."""
    text = "\n".join(["BEGIN;", *done.script, "COMMIT;", ""])
    write_whole(file.resolve(), text.encode())


def beside_data(made: Beside) -> dict[str, Any]:
    """Return the `data` object of `recover beside`."""
    target = msgspec.to_builtins(made.plan.target)
    return {"target": target, "url": made.url.reveal(), "directory": str(made.directory)}


def into_data(made: Into) -> dict[str, Any]:
    """Return the `data` object of `recover --into`."""
    return {
        "id": None,
        "target": msgspec.to_builtins(made.plan.target),
        "steps": msgspec.to_builtins(made.steps),
        "checks": msgspec.to_builtins(made.checks),
        "data_directory": str(made.data_directory),
        "undo_directory": None,
        "rto_seconds": made.rto_seconds,
        "loss_seconds": made.plan.lost.total_seconds(),
        "url": made.url.reveal(),
        "instructions": list(made.instructions),
    }


def into_text(made: Into) -> str:
    """Return where the recovered server is, and what is left to do."""
    checks = [f"{_FOUND[check.ok]} {check.name}: {check.detail}" for check in made.checks]
    left = [f"{number}. {step}" for number, step in enumerate(made.instructions, 1)]
    return "\n".join([*checks, f"recovered into {made.data_directory}", f"psql {made.url.reveal()!r}", *left])


def _loss(lost: timedelta) -> str:
    return f"{lost.total_seconds():.3f} s of commits" if lost else "nothing that is known"


def _took(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.1f} s"


def _key(key: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in key.items())
