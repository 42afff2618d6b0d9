"""While a recovery is open nothing else may start: neither the server that it replaces, nor a backup of half of it."""

from pathlib import Path

from pgkeel.backup.recovery.journal import Journal, read_journal
from pgkeel.core.errors import Refused
from pgkeel.stack.layout import Layout

__all__ = ["RecoveryOpen", "journal_file", "open_recovery", "require_no_recovery"]


class RecoveryOpen(Refused):
    """A recovery is open."""

    code = "recovery_open"


def journal_file(layout: Layout) -> Path:
    """Return where the journal of the last recovery is."""
    return layout.state / "recovery" / "journal.json"


def open_recovery(layout: Layout) -> Journal | None:
    """Return the recovery that is not finished, or None."""
    journal = read_journal(journal_file(layout))
    return journal if journal is not None and journal.state == "open" else None


def require_no_recovery(layout: Layout) -> None:
    """Return when no recovery is open.

    Raises:
        RecoveryOpen: One is; nothing was started.
    """
    journal = open_recovery(layout)
    if journal is not None:
        raise RecoveryOpen(
            f"recovery {journal.id} is open", hint="`pgkeel recover resume` finishes it, `pgkeel recover undo` takes it back"
        )
