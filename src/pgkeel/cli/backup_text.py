"""How backups read: as the objects of `--json`, as lines, and while one is being taken."""

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pgkeel.core import clock
from pgkeel.core.telling import Report
from pgkeel.core.units import Size

if TYPE_CHECKING:  # the extra [backup] is not needed to list the commands
    from pgkeel.backup import Record
    from pgkeel.backup.overview import Entry, Overview

__all__ = ["Progress", "list_text", "record_data", "record_text", "row_data"]

_EVERY = 1.0


class Progress:
    """Says how far a backup is: at a terminal in one line, elsewhere not at all."""

    def __init__(self, talk: Report) -> None:
        """Say it through `talk` when it is over."""
        self._talk = talk
        self._began = clock.monotonic()
        self._said_at = self._began
        self._has_line = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the line."""
        if self._has_line:
            self._talk("")

    def __call__(self, done: int, total: int) -> None:
        """Say it, at most once a second."""
        now = clock.monotonic()
        if now - self._said_at < _EVERY or not sys.stderr.isatty():
            return
        self._said_at, self._has_line = now, True
        rate = done / (now - self._began)
        left = f"{max(0, total - done) / rate:.0f} s left" if rate and total > done else ""
        sys.stderr.write(f"\r{Size(done)} of {Size(total)}, {Size(int(rate))}/s, {left}\x1b[K")
        sys.stderr.flush()


def record_data(record: "Record", states: Mapping[str, str]) -> dict[str, Any]:
    """Return the `data` of `backup full|incremental`."""
    return {
        "id": record.id,
        "kind": record.kind,
        "parent": record.parent,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "bytes": record.bytes,
        "timeline": record.timeline,
        "start_lsn": record.start_lsn,
        "end_lsn": record.end_lsn,
        "repositories": [{"name": name, "state": state} for name, state in states.items()],
    }


def row_data(entry: "Entry") -> dict[str, Any]:
    """Return one of the `backups` of `backup list`."""
    row = record_data(entry.record, {})
    del row["repositories"]
    return {**row, "verified_at": entry.verified_at, "kept": entry.kept, "expires_at": entry.expires_at}


def record_text(record: "Record", states: Mapping[str, str]) -> str:
    """Return a backup as a person reads it."""
    whole = f" of {Size(record.size)}" if record.size else ""  # a WAL slice has no data of its own
    lines = [
        f"{record.id}  {record.kind}, {Size(record.bytes)} stored{whole}, PostgreSQL {record.server_version}",
        f"  WAL      {record.start_lsn} to {record.end_lsn} on timeline {record.timeline}",
        *([f"  parent   {record.parent}"] if record.parent else []),
        *(f"  {name:<8} {state}" for name, state in states.items()),
    ]
    return "\n".join(lines)


def list_text(found: "Overview") -> str:
    """Return the list as a person reads it."""
    lines = [_line(entry) for entry in found.entries] or ["no backups"]
    lines += [f"restorable  {span.start:%F %T}Z to {span.end:%F %T}Z, timeline {span.timeline}" for span in found.restorable]
    lines += [f"! WAL is missing from {gap.from_lsn} to {gap.to_lsn} on timeline {gap.timeline}" for gap in found.gaps]
    lines += [f"! {key} is damaged" for key in found.damaged]
    return "\n".join(lines)


def _line(entry: "Entry") -> str:
    record = entry.record
    verified = f"verified {entry.verified_at:%F %T}Z" if entry.verified_at else "not verified"
    expiry = "kept" if entry.kept else f"until {entry.expires_at:%F}" if entry.expires_at else ""
    return f"{record.id:<30} {record.finished_at:%F %T}Z  {Size(record.bytes)!s:>9}  {verified:<30} {expiry}".rstrip()
