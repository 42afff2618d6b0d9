# Generated from pgkeel/cache/_async/change.py by tools/unasync.py; do not edit.
"""What a write does to the cache: announce itself before COMMIT, and take that back before it is acknowledged."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from pgkeel.cache._sync.reader import AWAY, Reader
from pgkeel.cache.entry import fresh
from pgkeel.cache.names import Tag
from pgkeel.cache.touched import Keys, RowKeys, Touched, keys_of
from pgkeel.core.errors import KeelError
from pgkeel.core.log import get_logger

__all__ = ["Change"]

_log = get_logger(__name__)


class Change:
    """One transaction's writes.

    `with cache.change(users.row(key)): connection.execute("COMMIT")`. The transaction must end within the cache's
    `mark` after its COMMIT was announced: set `transaction_timeout` (PostgreSQL 17), or `statement_timeout`, below that.
    """

    __slots__ = ("_keys", "_reader", "_touched", "_who")

    def __init__(self, reader: Reader, touched: Sequence[Touched | Tag] = ()) -> None:
        """Touch these rows and tags."""
        self._reader = reader
        self._who = b""
        self._touched: Sequence[Touched | Tag] = touched
        self._keys: Keys | RowKeys | None = None

    def add(self, *touched: Touched | Tag) -> Self:
        """Note rows and tags that the transaction writes."""
        self._touched = (*self._touched, *touched)
        return self

    def mark(self) -> None:
        """Announce the write: after the last statement, before COMMIT. From here nobody fills what it touches.

        When the cache does not answer, and `on_outage` is "open", the database is told to begin another epoch.

        Raises:
            Unreachable: The cache does not answer: roll back, or readers may see the old row for as long as values live.
            CommandRefused: The cache refused.
        """
        self.__enter__()

    def __enter__(self) -> Self:
        """Announce the write."""
        touched, reader = self._touched, self._reader
        if not touched:
            return self
        one = touched[0]
        keys = (one.alone if len(touched) == 1 and isinstance(one, Touched) else None) or keys_of(touched, reader.names)
        self._keys, self._who = keys, fresh()  # the versions that it leaves are made of that: each time others
        if reader.stale.is_expected:
            reader.stale.wrote(keys)
        try:
            reader.crowd.begin(keys, self._who)
            link = reader.client.link
            if link is not None and link.memory is not None:
                link.forget(keys.all)
        except AWAY as err:
            if not reader.is_open or reader.confirmed is None:
                raise
            reader.confirmed.ledger.dirty()
            if (link := reader.client.link) is not None:
                link.forget(None)
            reader.figures.dirty += 1
            _log.warning("cache.not_told", reason=err.message)
        reader.figures.marks += keys.number
        return self

    def release(self, *touched: Touched | Tag) -> None:
        """Take the announcement back: after COMMIT or ROLLBACK was answered, before the write is acknowledged.

        When the cache does not answer, the marks stay until they end by themselves, and nobody fills until then.

        Args:
            touched: What is known by now to be touched too: a row whose key came with the answer.
        """
        if touched and self._keys is not None:
            also = keys_of(touched, self._reader.names)
            self._keys = Keys([*self._keys.rows, *also.rows], self._keys.tags | also.tags)
        self.__exit__(None, None, None)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take it back; not after an error, for nobody knows whether that COMMIT still comes through."""
        reader, keys = self._reader, self._keys
        if keys is None or error is not None:
            return
        if reader.stale.is_expected:
            reader.stale.wrote(keys)
        self._keys = None
        try:
            reader.crowd.end(keys, self._who)
        except KeelError as err:
            _log.warning("cache.marks_left", rows=len(keys.rows), tags=len(keys.tags), reason=err.message)
