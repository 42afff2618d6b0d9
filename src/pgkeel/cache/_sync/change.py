# Generated from pgkeel/cache/_async/change.py by tools/unasync.py; do not edit.
"""What a write does to the cache: announce itself before COMMIT, and take that back before it is acknowledged."""

from types import TracebackType
from typing import Self

from pgkeel.cache._sync.reader import AWAY, Reader
from pgkeel.cache.entry import fresh
from pgkeel.cache.names import Tag
from pgkeel.cache.touched import Touched, keys_of
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
        self._touched: dict[Touched | Tag, None] = {}
        self._is_marked = False

    def add(self, *touched: Touched | Tag) -> Self:
        """Note rows and tags that the transaction writes."""
        self._touched |= dict.fromkeys(touched)
        return self

    def mark(self) -> None:
        """Announce the write: after the last statement, before COMMIT. From here nobody fills what it touches.

        Raises:
            Unreachable: The cache does not answer: roll back, or readers may see the old row for as long as values live.
            CommandRefused: The cache refused.
        """
        reader = self._reader
        rows, tags = keys_of(self._touched, reader.names)
        if rows or tags:
            self._is_marked = True
            reader.crowd.gather()
            reader.client.run("mark", [*rows, *tags], self._who, reader.mark, len(rows), fresh())
            reader.figures.marks += len(rows) + len(tags)

    def release(self) -> None:
        """Take the announcement back: after COMMIT or ROLLBACK was answered, before the write is acknowledged.

        When the cache does not answer, the marks stay until they end by themselves, and nobody fills until then.
        """
        if not self._is_marked:
            return
        rows, tags = keys_of(self._touched, self._reader.names)
        try:
            self._reader.crowd.gather()
            self._reader.client.run("release", [*rows, *tags], self._who, len(rows), fresh())
            self._is_marked = False
        except AWAY as err:
            _log.warning("cache.marks_left", rows=len(rows), tags=len(tags), reason=err.message)

    def __enter__(self) -> Self:
        """Announce the write."""
        self.mark()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take it back; not after an error, for nobody knows whether that COMMIT still comes through."""
        if error is None:
            self.release()
