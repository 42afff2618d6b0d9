# Generated from pgkeel/cache/_async/change.py by tools/unasync.py; do not edit.
"""What a write does to the cache: announce itself before COMMIT, and take that back before it is acknowledged."""

from types import TracebackType
from typing import Self

from pgkeel.cache._sync.reader import AWAY, Reader
from pgkeel.cache.entry import fresh
from pgkeel.cache.names import Tag
from pgkeel.cache.touched import Touched, keys_of
from pgkeel.core.errors import KeelError
from pgkeel.core.log import get_logger

__all__ = ["Change"]

_log = get_logger(__name__)


class Change:
    """One transaction's writes.

    `with cache.change(users.row(key)): connection.execute("COMMIT")`. The transaction must end within the cache's
    `mark` after its COMMIT was announced: set `transaction_timeout` (PostgreSQL 17), or `statement_timeout`, below that.
    """

    def __init__(self, reader: Reader) -> None:
        """Touch nothing yet."""
        self._reader = reader
        self._who = fresh()
        self._touched: list[Touched | Tag] = []
        self._marked: tuple[list[bytes], list[bytes]] | None = None

    def add(self, *touched: Touched | Tag) -> Self:
        """Note rows and tags that the transaction writes."""
        self._touched += touched
        return self

    def mark(self) -> None:
        """Announce the write: after the last statement, before COMMIT. From here nobody fills what it touches.

        When the cache does not answer, and `on_outage` is "open", the database is told to begin another epoch.

        Raises:
            Unreachable: The cache does not answer: roll back, or readers may see the old row for as long as values live.
            CommandRefused: The cache refused.
        """
        reader = self._reader
        rows, tags = keys_of(self._touched, reader.names)
        if not rows and not tags:
            return
        self._marked = rows, tags
        reader.stale.wrote((*rows, *tags))
        try:
            reader.crowd.tell(rows, tags, self._who, is_over=False)
            self._forget([*rows, *tags])
        except AWAY as err:
            if not reader.is_open or reader.confirmed is None:
                raise
            reader.confirmed.ledger.dirty()
            self._forget(None)
            reader.figures.dirty += 1
            _log.warning("cache.not_told", reason=err.message)
        reader.figures.marks += len(rows) + len(tags)

    def release(self, *touched: Touched | Tag) -> None:
        """Take the announcement back: after COMMIT or ROLLBACK was answered, before the write is acknowledged.

        When the cache does not answer, the marks stay until they end by themselves, and nobody fills until then.

        Args:
            touched: What is known by now to have been written too: a row whose key came with the answer.
        """
        if self._marked is None:
            return
        rows, tags = self._marked
        if touched:
            rows = [*rows, *keys_of(touched, self._reader.names)[0]]
        self._reader.stale.wrote((*rows, *tags))
        try:
            self._reader.crowd.tell(rows, tags, self._who, is_over=True)
            self._marked = None
        except KeelError as err:
            _log.warning("cache.marks_left", rows=len(rows), tags=len(tags), reason=err.message)

    def _forget(self, keys: list[bytes] | None) -> None:
        """Let this process keep nothing of what is written, so that it reads its own writes."""
        link = self._reader.client.link
        if link is not None:
            link.forget(keys)

    def __enter__(self) -> Self:
        """Announce the write."""
        self.mark()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take it back; not after an error, for nobody knows whether that COMMIT still comes through."""
        if error is None:
            self.release()
