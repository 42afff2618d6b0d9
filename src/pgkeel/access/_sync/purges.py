# Generated from pgkeel/access/_async/purges.py by tools/unasync.py; do not edit.
"""The end of soft-deleted rows."""

from datetime import datetime, timedelta
from typing import TypeVar

from pgkeel.access._sync.part import Part
from pgkeel.access.compiled import Compiled
from pgkeel.access.purging import PURGE_BATCH, Purged, bury, delete_leaves
from pgkeel.core.clock import SystemClock

__all__ = ["Purges"]

R_co = TypeVar("R_co", covariant=True)


class Purges(Part[R_co]):
    """The end of soft-deleted rows; the agent does the same by `[retention]`."""

    __slots__ = ()

    def purge(self, *, older_than: timedelta) -> Purged:
        """Delete rows for good that were hidden longer ago; those that others still point to become tombstones.

        A tombstone keeps its id and what points to it, and nothing of a person: the model's `__tombstone__` says how. Without
        one, such rows stay as they are. Rows go in batches of a transaction each: after a crash, purge again.

        Args:
            older_than: For how long rows can still be restored.

        Raises:
            UsageError: The model has no `deleted_at`.
        """
        self._require_soft_delete()
        before = SystemClock().now() - older_than
        deleted = self._repeat(delete_leaves(self._statements), before)
        tombstone = bury(self._statements)
        return Purged(deleted, 0 if tombstone is None else self._repeat(tombstone, before))

    def _repeat(self, query: Compiled[object], before: datetime) -> int:
        count, last = 0, PURGE_BATCH
        while last == PURGE_BATCH:
            last = len(self._write_all(query, [(before, PURGE_BATCH)], None, spreads=True))
            count += last
        return count
