"""While a recovery is open nothing else may start: neither the server that it replaces, nor a backup of half of it.

Only the journal's name and state are read here: `up` works without the extra [backup], `recover` does not.
"""

from pathlib import Path

import msgspec

from pgkeel.core.errors import Refused
from pgkeel.stack.layout import Layout

__all__ = ["RecoveryOpen", "journal_file", "require_no_recovery"]


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
    try:
        head = msgspec.json.decode(journal_file(layout).read_bytes(), type=_Head)
    except (FileNotFoundError, NotADirectoryError):
        return
    if head.state == "open":
        raise RecoveryOpen(
            f"recovery {head.id} is open", hint="`pgkeel recover resume` finishes it, `pgkeel recover undo` takes it back"
        )
