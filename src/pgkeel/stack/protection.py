"""Whether a project's backups are ours to take, and what `up` does for that."""

from importlib.util import find_spec

from pgkeel.core.config import ZERO
from pgkeel.core.project import Project
from pgkeel.core.telling import Report

__all__ = ["ensure_protection", "is_protected", "lift_synchrony"]

_NEEDED = ("pyrage", "obstore")


def is_protected(project: Project) -> bool:
    """Return whether the agent takes backups: wanted, by default on the embedded stack only, and the extra is installed."""
    if project.config.backup.engine != "pgkeel":
        return False
    wanted = project.config.backup.receive
    is_wanted = (not project.is_external) if wanted is None else wanted
    return is_wanted and all(find_spec(name) is not None for name in _NEEDED)


def ensure_protection(project: Project, report: Report) -> None:
    """Make the identity that opens the backups, where nobody is configured to encrypt for."""
    if not is_protected(project):
        return
    from pgkeel.stack.vault import backup_folder, ensure_identity, identity_file  # noqa: PLC0415 - needs the extra [backup]

    if ensure_identity(project):
        places = ", ".join(project.config.backup.repositories) or backup_folder(project)
        report(f"backups go to {places}; {identity_file(project)} opens them: copy it to another machine")


def lift_synchrony(project: Project) -> None:
    """Let commits wait for nobody: the receiver, for which they wait with `rpo = "zero"`, does not run yet or any more."""
    if project.config.backup.rpo != ZERO or not is_protected(project):
        return
    from pgkeel.stack.synchrony import lift_if_reachable  # noqa: PLC0415 - needs the extra [backup]

    lift_if_reachable(project)
