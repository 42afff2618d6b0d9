# Generated from pgkeel/access/_async/slot.py by tools/unasync.py; do not edit.
"""One place in a pool: a connection, and who holds it."""

from pgkeel.access._colour.threaded import now
from pgkeel.access._drivers._sync.port import Connection

__all__ = ["Slot"]


class Slot:
    """A connection of the pool and who holds it.

    Attributes:
        connection: The driver's connection.
        born: When it was opened.
        since: When it was taken or put back.
        asked: When it last proved that it answers.
        holder: The task or thread that holds it; None when it is free.
        doing: What it was taken for.
        stack: Where it was taken, where the pool notes that.
        is_tainted: Whether a session setting, lock or listen may remain on it.
        record: What SQLAlchemy keeps about it.
    """

    __slots__ = ("asked", "born", "connection", "doing", "holder", "is_tainted", "record", "since", "stack")

    def __init__(self, connection: Connection) -> None:
        """Start free."""
        self.connection = connection
        self.born = self.since = self.asked = now()
        self.holder: object = None
        self.doing = ""
        self.stack: tuple[str, ...] = ()
        self.is_tainted = False
        self.record: object = None
