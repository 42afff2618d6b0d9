"""Which cluster is meant: a repository may hold several, and the server that is here is one of them or none."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pgkeel.backup import Record
from pgkeel.backup.recovery.errors import NotRestorable
from pgkeel.backup.tools import tool
from pgkeel.core.errors import KeelError
from pgkeel.local import Account, find_runtime
from pgkeel.stack.vault import tools_of

__all__ = ["hint_at_others", "only_system", "system_of"]

_CONTROL = "Database system identifier:"


def hint_at_others(records: Iterable[Record]) -> str:
    """Return what to type where the repository has backups of other clusters only."""
    others = ", ".join(sorted({one.system_identifier for one in records}))
    return f"--system takes {others}" if others else "`pgkeel backup list` shows what is there"


def only_system(records: Sequence[Record]) -> str:
    """Return the one cluster of which there are backups.

    Raises:
        NotRestorable: There are none, or those of several.
    """
    systems = {one.system_identifier: one for one in sorted(records, key=lambda one: one.finished_at)}
    if not systems:
        hint = "`pgkeel backup full` takes one; `--from` and `repositories` name what the folder of the cluster lies in"
        raise NotRestorable("there is no backup in the repository", hint=hint, data={"systems": []})
    if len(systems) > 1:
        known = ", ".join(f"{name} ({one.finished_at:%Y-%m-%d})" for name, one in systems.items())
        message = f"the repository holds backups of {len(systems)} clusters"
        raise NotRestorable(message, hint=f"--system, one of {known}", data={"systems": list(systems)})
    return next(iter(systems))


def system_of(data: Path, account: Account) -> str | None:
    """Return the system identifier of the server that is here, or None when there is none or its control file is gone."""
    try:
        major = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        runtime = find_runtime(major, account=account)
        lines = tool(tools_of(runtime), "pg_controldata", data).splitlines()
    except (OSError, KeelError):
        return None
    return next((line.removeprefix(_CONTROL).strip() for line in lines if line.startswith(_CONTROL)), None)
