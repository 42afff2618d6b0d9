"""What keeps values outside of the live tables: the audit log and the backups, introduced to those who ask before a key goes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from pgkeel.core.project import Project
from pgkeel.postgres import Connection, load
from pgkeel.schema.field import EncryptedField
from pgkeel.security.audit.holding import AuditParts
from pgkeel.security.encryption.remains import Remains
from pgkeel.security.keys import WrappedKey
from pgkeel.stack.connection import connect
from pgkeel.stack.protection import is_protected

__all__ = ["KeptBackups", "holders"]


class KeptBackups:
    """The backups of a cluster in every repository of its project."""

    def __init__(self, project: Project, system: str) -> None:
        """Name the cluster by its identifier; the repositories are read when they are asked."""
        self._project = project
        self._system = system

    def holding(self, key: WrappedKey) -> Sequence[str]:
        """Return the backups that began before a key was retired: until then rows were sealed by it."""
        return [where for where, began, _ in self._entries() if key.changed_at is None or began < key.changed_at]

    def copies_of(self, field: EncryptedField, before: datetime | None) -> Sequence[Remains]:  # noqa: ARG002 - files have no columns
        """Return the backups from before a table was rewritten; their WAL goes with them."""
        return [Remains("backup", where, until) for where, began, until in self._entries() if before is None or began < before]

    def _entries(self) -> Iterator[tuple[str, datetime, str]]:
        from pgkeel.backup.overview import overview  # noqa: PLC0415 - needs the extra [backup]
        from pgkeel.stack.vault import policy_of, repositories_of  # noqa: PLC0415 - as above

        for repository in repositories_of(self._project):
            for entry in overview(repository, policy_of(self._project), system=self._system).entries:
                until = f"{entry.expires_at:%Y-%m-%d}" if entry.expires_at else "later full backups leave the window"
                kept = f"`pgkeel backup keep {entry.record.id} --release`" if entry.kept else until
                yield f"backup {entry.record.id} in {repository.name}", entry.record.started_at, kept


@contextmanager
def holders(project: Project, application: str) -> Iterator[tuple[Connection, tuple[AuditParts | KeptBackups, ...]]]:
    """Lend a connection that sees everything, and who keeps values outside of the live tables.

    Raises:
        Unreachable: The database or a repository cannot be reached: then nobody knows what a backup holds.
    """
    with connect(project, "superuser", application=application) as superuser:
        found: list[AuditParts | KeptBackups] = [AuditParts(superuser)]
        if is_protected(project) or project.config.backup.repositories:
            found.append(KeptBackups(project, str(load(__name__, "system").scalar(superuser))))
        yield superuser, tuple(found)
