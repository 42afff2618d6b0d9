"""While a recovery is open nothing else may start: neither the server that it replaces, nor a backup of half of it.

Only the journal's name and state are read here: `up` works without the extra [backup], `recover` does not.
"""

from pathlib import Path

import msgspec

from pgkeel.core.errors import Refused
from pgkeel.stack.layout import Layout

__all__ = ["WAYS_OUT", "RecoveryOpen", "journal_file", "recovery_open", "require_no_recovery"]

WAYS_OUT = "`pgkeel recover resume` finishes it, `pgkeel recover undo` takes it back"


class RecoveryOpen(Refused):
    """A recovery is open."""

    code = "recovery_open"


class _Head(msgspec.Struct, frozen=True):
    id: str
    state: str


def journal_file(layout: Layout) -> Path:
    """Return where the journal of the last recovery is."""
    return layout.state / "recovery" / "journal.json"


def require_no_recovery(layout: Layout) -> None:
    """Return when no recovery is open.

    Raises:
        RecoveryOpen: One is; nothing was started.
    """
    found = recovery_open(layout)
    if found is not None:
        raise RecoveryOpen(f"recovery {found} is open", hint=WAYS_OUT)


def recovery_open(layout: Layout) -> str | None:
    """Return the id of the recovery that is open, or None."""
    try:
        head = msgspec.json.decode(journal_file(layout).read_bytes(), type=_Head)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return head.id if head.state == "open" else None
