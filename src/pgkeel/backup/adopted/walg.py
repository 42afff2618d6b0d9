"""WAL-G, through `wal-g backup-list --detail --json` and `wal-verify --json`; its shapes are those of its documentation."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pgkeel.backup.adopted.engine import Fault, Program
from pgkeel.backup.lsn import format_lsn
from pgkeel.backup.planning import Wish
from pgkeel.backup.records import Record
from pgkeel.backup.tools import ToolFailed

__all__ = ["WalG", "records_of"]

_DELTA = "_D_"


class WalG:
    """One storage."""

    name = "WAL-G"

    def __init__(self, argv: Sequence[str], data: str) -> None:
        """Take the command, and the data directory of the server that it backs up."""
        self._program = Program(argv)
        self._data = data

    def backups(self) -> tuple[Record, ...]:
        """Return its finished backups, oldest first."""
        return records_of(self._program.json("backup-list", "--detail", "--json"))

    def take(self, wish: Wish) -> None:
        """Take a backup; what an incremental one builds on, WAL-G's own settings say."""
        self._program.ask("backup-push", *(["--full"] if wish == "full" else []), self._data)

    def faults(self) -> tuple[Fault, ...]:
        """Return what `wal-verify` finds."""
        found = self._program.json("wal-verify", "integrity", "timeline", "--json")
        return tuple(
            Fault(name, str(row.get("details", "")) or row["status"]) for name, row in found.items() if row["status"] != "OK"
        )

    def restore(self, backup: str, destination: Path) -> None:
        """Restore with `backup-fetch`."""
        self._program.ask("backup-fetch", destination, backup)

    def segment(self, name: str, destination: Path) -> bool:
        """Write a segment that `wal-fetch` gives."""
        return self._program.run("wal-fetch", name, destination).returncode == 0 and destination.is_file()


def records_of(said: Any) -> tuple[Record, ...]:  # noqa: ANN401 - as WAL-G says it
    """Return the backups of `backup-list --detail --json`, oldest first.

    Raises:
        ToolFailed: A field is missing.
    """
    try:
        return tuple(sorted((_record(row) for row in said or []), key=lambda one: one.finished_at))
    except (KeyError, TypeError, ValueError) as err:
        raise ToolFailed(f"WAL-G did not say what was expected: {err}", hint="its documentation of 3.0 is followed") from err


def _record(row: Any) -> Record:  # noqa: ANN401 - as above
    name, number = row["backup_name"], int(row["pg_version"])
    parent = f"base_{name.partition(_DELTA)[2]}" if _DELTA in name else None
    return Record(
        id=name,
        kind="incremental" if parent else "full",
        parent=parent,
        system_identifier=str(row.get("system_identifier") or ""),
        server_version=f"{number // 10000}.{number % 10000}",
        timeline=int(row["wal_file_name"][:8], 16),
        start_lsn=format_lsn(int(row["start_lsn"])),
        end_lsn=format_lsn(int(row["finish_lsn"])),
        started_at=datetime.fromisoformat(row["start_time"]),
        finished_at=datetime.fromisoformat(row["finish_time"]),
        parts=(),
        size=int(row["uncompressed_size"]),
    )
