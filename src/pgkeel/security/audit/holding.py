"""What the audit log still needs a key for, and what it still holds in clear: it cannot be rewritten, only wait for its time."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pgkeel.core.telling import counted
from pgkeel.postgres import Connection, identifier, load
from pgkeel.schema.field import EncryptedField
from pgkeel.security.encryption.remains import Remains
from pgkeel.security.keys import WrappedKey

__all__ = ["AuditParts"]


class AuditParts:
    """The partitions of the log, and those that were detached from it; a database without a log has none."""

    def __init__(self, connection: Connection) -> None:
        """Look with a login that may read the log."""
        self._connection = connection

    def holding(self, key: WrappedKey) -> Sequence[str]:
        """Return the partitions with values that a key sealed."""
        mark = rf'"\\\\x0[12]{key.id:08x}'  # a header, as bytea in JSON
        return [
            f"audit partition audit.{name}"
            for name, _ in self._parts()
            if load(__name__, "holds_key").named(partition=identifier("audit", name)).scalar(self._connection, mark=mark)
        ]

    def copies_of(self, field: EncryptedField, before: datetime | None) -> Sequence[Remains]:  # noqa: ARG002 - rows are looked at
        """Return the partitions with clear values of a column."""
        table = ".".join(field.table if len(field.table) > 1 else ("public", *field.table))
        found = []
        for name, is_attached in self._parts():
            query = load(__name__, "clear_entries").named(partition=identifier("audit", name))
            rows = query.scalar(self._connection, table=table, column=field.column)
            until = "[security] audit_keep has passed, and it is dropped" if is_attached else f"DROP TABLE audit.{name}"
            found += [Remains("audit", f"audit.{name} ({counted(rows, 'row')})", until)] if rows else []
        return found

    def _parts(self) -> Iterator[tuple[str, bool]]:
        yield from ((row["name"], row["is_attached"]) for row in load(__name__, "partitions").rows(self._connection))
