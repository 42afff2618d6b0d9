"""Read the log: who changed what and when."""

from datetime import datetime
from typing import Any

import msgspec

from pgkeel.core.errors import NotFound
from pgkeel.postgres import Connection, load
from pgkeel.security.audit.older import refuse_older

__all__ = ["Entry", "search"]


class Entry(msgspec.Struct, frozen=True):
    """One thing that happened.

    Attributes:
        seq: Its number, given by the seal, in the order of seals; None until then. It has gaps.
        at: When (UTC).
        epoch: The log's life.
        actor: The application's user, None where it did not say.
        db_role: The login.
        table_name: `schema.table`; of DDL the object.
        row_id: The key, parts joined by commas.
        operation: `insert`, `update`, `delete`, `truncate`, `ddl` or `role`.
        before: What was: all columns of a deleted row, the changed ones of an updated row.
        after: What is then; a masked column is "changed".
    """

    seq: int | None
    at: datetime
    epoch: int
    actor: str | None
    db_role: str
    table_name: str
    row_id: str | None
    operation: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def search(
    connection: Connection,
    *,
    table: str | None = None,
    row: str | None = None,
    actor: str | None = None,
    operation: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
) -> tuple[Entry, ...]:
    """Return what happened, newest first; each filter that is given must be met.

    Raises:
        NotFound: There is no such table, and the log has nothing of one.
        OlderLog: An older version made the log.
    """
    refuse_older(connection)
    rows = load(__name__, "search").rows(
        connection, table=table, row=row, actor=actor, operation=operation, since=since, until=until, most=limit
    )
    if table is not None and not rows and not load(__name__, "knows_table").scalar(connection, table=table):
        raise NotFound(f"there is no table {table}, and the log has nothing of one", hint="`[security] audit` names the tables")
    return tuple(msgspec.convert(one, Entry) for one in rows)
