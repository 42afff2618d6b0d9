"""Give pending files that a merge left behind later versions, so that they run after what is applied; never an applied one."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from pgkeel.core.errors import UsageError
from pgkeel.migrations import ledger
from pgkeel.migrations.create import next_versions, write_new
from pgkeel.migrations.grammar import MigrationFile
from pgkeel.migrations.source import Source, read, text_of
from pgkeel.postgres import Connection

__all__ = ["Move", "rebase"]

_JOURNAL = ".rebase.json"  # which file goes where; it is there while a rebase is not complete


class Move(msgspec.Struct, frozen=True):
    """A file that was, or would be, renamed: names without their folder."""

    old: str
    new: str


def rebase(connection: Connection, source: Source, *, now: datetime, dry_run: bool = False) -> tuple[Move, ...]:
    """Rename the pending files of a source from the first on that is older than the newest applied one; they keep their order.

    `-- pgkeel: needs backfill VERSION` follows. Killed at any instant, the same call finishes it.

    Args:
        connection: Asked what is applied.
        source: Whose files.
        now: The time from which the new versions count.
        dry_run: Only say which.

    Raises:
        BadMigration: A file cannot be read.
        UsageError: The folder cannot be written.
    """
    moves = _begun(source) or _plan(connection, source, now)
    if moves and not dry_run:
        _carry_out(source, moves)
    return moves


def _begun(source: Source) -> tuple[Move, ...]:
    journal = source.folder / _JOURNAL
    return msgspec.json.decode(journal.read_bytes(), type=tuple[Move, ...]) if journal.is_file() else ()


def _plan(connection: Connection, source: Source, now: datetime) -> tuple[Move, ...]:
    files = read(source)
    applied = {version for name, version in ledger.entries(connection) if name == source.name}
    waiting = [file for file in files if file.version not in applied]
    newest = max(applied, default="")
    if not any(file.version < newest for file in waiting):
        return ()
    moved = [file for file in waiting if file.version >= waiting[0].version]
    fresh = next_versions(source, now, len(moved))
    return tuple(Move(_name(file), f"{version}_{file.name}.sql") for file, version in zip(moved, fresh, strict=True))


def _name(file: MigrationFile) -> str:
    return f"{file.version}_{file.name}.sql"


def _carry_out(source: Source, moves: Sequence[Move]) -> None:
    journal = source.folder / _JOURNAL
    if not journal.is_file():
        write_new(journal, msgspec.json.encode(moves).decode())
    versions = {move.old[:14]: move.new[:14] for move in moves}
    try:
        for move in moves:
            _move(source.folder, move, versions)
        journal.unlink()
    except OSError as err:
        raise UsageError(f"{source.folder} cannot be written: {err.strerror}", hint="make it writable and rebase again") from err


def _move(folder: Path, move: Move, versions: Mapping[str, str]) -> None:
    old, new = folder / move.old, folder / move.new
    if not old.is_file():
        return
    text = text_of(old)
    changed = "\n".join(_followed(text.split("\n"), versions))
    if changed == text:
        old.rename(new)
    else:
        write_new(new, changed)
        old.unlink()


def _followed(lines: Sequence[str], versions: Mapping[str, str]) -> Iterator[str]:
    for line in lines:
        head, _, version = line.rpartition(" ")
        is_need = line.lstrip().startswith("--") and "pgkeel:" in head and head.rstrip().endswith("needs backfill")
        yield f"{head} {versions.get(version.strip(), version)}" if is_need else line
