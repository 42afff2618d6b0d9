"""pgBackRest: one of its stanzas, through `pgbackrest info --output=json` (2.45)."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pgkeel.backup.adopted.engine import Fault, Program
from pgkeel.backup.planning import Wish
from pgkeel.backup.records import Record
from pgkeel.backup.recovery.errors import NotRestorable
from pgkeel.backup.tools import ToolFailed

__all__ = ["PgBackRest", "records_of"]


class PgBackRest:
    """One stanza."""

    name = "pgBackRest"

    def __init__(self, argv: Sequence[str], stanza: str) -> None:
        """Take the command and the stanza."""
        self._program = Program([*argv, f"--stanza={stanza}"])

    def backups(self) -> tuple[Record, ...]:
        """Return its finished backups, oldest first."""
        return records_of(self._program.json("--output=json", "info"))

    def take(self, wish: Wish) -> None:
        """Take a full backup, or one of what changed since the last full one."""
        self._program.ask(f"--type={'full' if wish == 'full' else 'diff'}", "backup")

    def faults(self) -> tuple[Fault, ...]:
        """Return what `check` and `verify` find."""
        found = []
        for verb in ("check", "verify"):
            done = self._program.run(verb)
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
            if done.returncode or "status: error" in said:
                found.append(Fault(verb, said.splitlines()[-1] if said else f"it ended with {done.returncode}"))
        return tuple(found)

    def restore(self, backup: str, destination: Path) -> None:
        """Restore with `pgbackrest restore`, without its WAL."""
        shown = self._program.json("--output=json", f"--set={backup}", "info")
        if any(row.get("tablespace") for stanza in shown for row in stanza["backup"]):
            raise NotRestorable(
                f"{backup} has tablespaces, which pgBackRest would restore over the real ones",
                hint="`pgbackrest restore --tablespace-map-all=DIR` moves them",
            )
        destination.mkdir(mode=0o700, exist_ok=True)
        self._program.ask(f"--set={backup}", "--type=none", f"--pg1-path={destination}", "restore")

    def segment(self, name: str, destination: Path) -> bool:
        """Write a segment that `archive-get` gives."""
        return self._program.run("archive-get", name, destination).returncode == 0 and destination.is_file()


def records_of(said: Any) -> tuple[Record, ...]:  # noqa: ANN401 - as pgBackRest says it
    """Return the backups of `info`, oldest first.

    Raises:
        ToolFailed: A field is missing.
    """
    try:
        stanza = said[0]
        databases = {row["id"]: row for row in stanza["db"]}
        return tuple(_record(row, databases[row["database"]["id"]]) for row in stanza["backup"] if not row.get("error"))
    except (KeyError, IndexError, TypeError, ValueError) as err:
        raise ToolFailed(f"pgBackRest did not say what was expected: {err}", hint="2.45 is known to") from err


def _record(row: Any, database: Any) -> Record:  # noqa: ANN401 - as above
    return Record(
        id=row["label"],
        kind="full" if row["type"] == "full" else "incremental",
        parent=row["prior"],
        system_identifier=str(database["system-id"]),
        server_version=f"{database['version']}.0",
        timeline=int(row["archive"]["start"][:8], 16),
        start_lsn=row["lsn"]["start"],
        end_lsn=row["lsn"]["stop"],
        started_at=datetime.fromtimestamp(row["timestamp"]["start"], UTC),
        finished_at=datetime.fromtimestamp(row["timestamp"]["stop"], UTC),
        parts=(),
        size=row["info"]["size"],
    )
