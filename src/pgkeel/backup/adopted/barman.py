"""Barman: one of its servers, through `barman -f json` (3.20; earlier ones from 3.11 on say the same)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pgkeel.backup.adopted.engine import Fault, Program
from pgkeel.backup.planning import Wish
from pgkeel.backup.records import Record
from pgkeel.backup.recovery.errors import NotRestorable
from pgkeel.backup.tools import ToolFailed

__all__ = ["Barman", "record_of"]

_DONE = frozenset({"DONE", "WAITING_FOR_WALS"})


class Barman:
    """One server of a Barman."""

    name = "Barman"

    def __init__(self, argv: Sequence[str], server: str) -> None:
        """Take the command and what Barman calls the server."""
        self._program = Program(argv)
        self._server = server

    def backups(self) -> tuple[Record, ...]:
        """Return its finished backups, oldest first."""
        listed = self._program.json("-f", "json", "list-backups", self._server)[self._server]
        names = [row["backup_id"] for row in listed if row.get("status") in _DONE]
        return tuple(record_of(self._shown(name)) for name in sorted(names))

    def take(self, wish: Wish) -> None:
        """Take a backup, and wait for its WAL."""
        kind = [] if wish == "full" else ["--incremental", "last-full"]
        self._program.ask("-f", "json", "backup", "--wait", *kind, self._server)

    def faults(self) -> tuple[Fault, ...]:
        """Return what `barman check` and `barman verify-backup` find."""
        done = self._program.run("-f", "json", "check", self._server)
        found = self._program.decoded(done.stdout)[self._server]
        checks = [Fault(name, row["hint"] or "failed") for name, row in found.items() if row["status"] == "FAILED"]
        return (*checks, *(fault for record in self.backups() for fault in self._verified(record.id)))

    def restore(self, backup: str, destination: Path) -> None:
        """Restore with `barman restore`, without its WAL."""
        found = self._shown(backup)
        if found["tablespaces"]:
            raise NotRestorable(
                f"{backup} has tablespaces, which Barman would restore over the real ones",
                hint="`barman restore --tablespace NAME:DIR` moves them",
            )
        with TemporaryDirectory(dir=destination.parent) as staging:
            place = ["--staging-path", staging, "--staging-location", "local"]
            packed = found["base_backup_information"].get("compression") or found["catalog_information"].get("parent_backup_id")
            self._program.ask("restore", *(place if packed else []), "--no-get-wal", self._server, backup, destination)

    def segment(self, name: str, destination: Path) -> bool:
        """Write a segment that `barman get-wal` gives."""
        done = self._program.run("get-wal", "--partial", self._server, name)
        if done.returncode or not done.stdout:
            return False
        destination.write_bytes(done.stdout)
        return True

    def _shown(self, backup: str) -> Any:  # noqa: ANN401 - Barman's own shape
        return self._program.json("-f", "json", "show-backup", self._server, backup)[self._server]

    def _verified(self, backup: str) -> list[Fault]:
        done = self._program.run("-f", "json", "verify-backup", self._server, backup)
        if not done.returncode:
            return []
        said = self._program.decoded(done.stdout).get("_ERROR", ["it does not verify"])
        return [Fault(backup, reason) for reason in said]


def record_of(shown: Any) -> Record:  # noqa: ANN401 - as Barman says it
    """Return a backup as `show-backup` describes it.

    Raises:
        ToolFailed: A field is missing.
    """
    try:
        base, number = shown["base_backup_information"], int(shown["postgresql_version"])
        parent = shown["catalog_information"].get("parent_backup_id")
        return Record(
            id=shown["backup_id"],
            kind="incremental" if parent else "full",
            parent=parent,
            system_identifier=str(shown["system_id"]),
            server_version=f"{number // 10000}.{number % 10000}",
            timeline=int(base["timeline"]),
            start_lsn=base["begin_lsn"],
            end_lsn=base["end_lsn"],
            started_at=datetime.fromtimestamp(int(base["begin_time_timestamp"]), UTC),
            finished_at=datetime.fromtimestamp(int(base["end_time_timestamp"]), UTC),
            parts=(),
            size=int(shown.get("cluster_size_bytes") or base["backup_size_bytes"]),
        )
    except (KeyError, TypeError, ValueError) as err:
        raise ToolFailed(f"Barman did not say what was expected: {err}", hint="Barman 3.20 is known to") from err
