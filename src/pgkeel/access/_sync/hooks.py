# Generated from pgkeel/access/_async/hooks.py by tools/unasync.py; do not edit.
"""What is told of every unit of work, before and after it ends: a cache announces its writes here."""

from typing import Protocol

from pgkeel.access.touched import Touched

__all__ = ["Hook"]


class Hook(Protocol):
    """One listener; `Database(hooks=[…])` keeps them for all units of work and for writes of repositories.

    Exactly one of `after_commit` and `after_rollback` follows `before_commit`, or none: then the connection was lost, or the
    caller cancelled, while COMMIT was on its way, and nobody knows how it ended (`CommitUnknown`).
    """

    def before_commit(self, touched: Touched) -> None:
        """Be told what was written, after the last statement and before COMMIT; raising rolls back."""
        ...

    def after_commit(self, touched: Touched) -> None:
        """Be told that it is kept, before the caller is; what is raised here is logged and changes nothing."""
        ...

    def after_rollback(self, touched: Touched) -> None:
        """Be told that nothing of it was kept; what is raised here is logged and changes nothing."""
        ...
