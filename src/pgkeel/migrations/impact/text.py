"""How a preview reads."""

from collections.abc import Iterator
from typing import Any

import msgspec

from pgkeel.core.telling import counted
from pgkeel.core.units import Size
from pgkeel.migrations.impact.preview import BackfillPreview, MigrationPreview, Preview, StatementPreview, UnitPreview
from pgkeel.migrations.impact.weigh import Touched

__all__ = ["preview_data", "preview_text"]

_WIDTH = 90


def preview_data(found: Preview) -> dict[str, Any]:
    """Return the `data` object of `--json`."""
    return {
        "pending": len(found.migrations),
        "is_traced": found.is_traced,
        "stops": len(found.stops),
        "oldest_transaction": found.oldest,
        "notes": found.notes,
        "failure": found.failure.as_dict() if found.failure else None,
        "migrations": msgspec.to_builtins(found.migrations),
    }


def preview_text(found: Preview) -> str:
    """Return what a person reads."""
    lines = [line for migration in found.migrations for line in _migration(migration)]
    lines += [f"note: {note}" for note in found.notes]
    if found.failure is not None:
        lines += [f"it fails: {found.failure.message}", f"  → {found.failure.hint}"]
    stops = f", {len(found.stops)} of their locks hold others off for as long as rows are worked on" if found.stops else ""
    lines.append(f"{len(found.migrations)} pending{stops}" if found.migrations else "nothing is pending")
    return "\n".join(lines)


def _migration(migration: MigrationPreview) -> Iterator[str]:
    again = f", going on after unit {migration.done}" if migration.done else ""
    yield f"{migration.direction} {migration.source} {migration.version}_{migration.name}{again}"
    for unit in migration.units:
        yield from _unit(unit)
    yield from (_backfill(migration, backfill) for backfill in migration.backfills)


def _unit(unit: UnitPreview) -> Iterator[str]:
    how = "in one transaction" if unit.is_atomic else "alone, outside of a transaction"
    yield f"  unit {unit.number}, {how}; waits {unit.waits}"
    for statement in unit.statements:
        yield from _statement(statement)


def _statement(statement: StatementPreview) -> Iterator[str]:
    text = " ".join(statement.sql.split())
    yield f"    {statement.line:>4}  {text if len(text) <= _WIDTH else text[: _WIDTH - 1] + '…'}"
    for table in statement.tables:
        if table.mode:
            yield f"          {table.mode} on {_described(table)}"
        if table.weight == "stops":
            yield f"        ! {table.message}"
    if not statement.is_complete or statement.note:
        yield f"          {statement.note or 'what it locks is not known'}"
    yield from (f"        ≠ {difference}" for difference in statement.disagreements)


def _described(table: Touched) -> str:
    if table.is_new:
        return f"{table.table}, which is new"
    size = f" ({Size(table.bytes)}, {counted(table.rows or 0, 'row')})" if table.bytes is not None else ""
    work = ", written anew" if table.is_rewritten else ", every row read" if table.is_scanned else ""
    queue = f"; {table.holds_off} queue behind it" if table.weight == "queues" else ""
    return f"{table.table}{size}{work}{queue}"


def _backfill(migration: MigrationPreview, backfill: BackfillPreview) -> str:
    rows = f", {counted(backfill.rows, 'row')}" if backfill.rows is not None else ""
    return f"  then the backfill of {backfill.table}{rows}: pgkeel migrate backfill run {migration.version}"
