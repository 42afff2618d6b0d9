"""Which tables a delete or a soft delete writes besides its own: what foreign keys and models say."""

from collections.abc import Iterator

from sqlalchemy import Table

__all__ = ["cascade_of"]

_WRITING = {"CASCADE", "SET NULL", "SET DEFAULT"}


def cascade_of(table: Table) -> frozenset[str]:
    """Return the names of the tables whose rows a delete from this one may change, through however many others.

    A soft delete hides children where the model says so; a child that is hidden references its parent by the same foreign keys.
    """
    found: dict[str, None] = {}
    waiting = [table]
    while waiting:
        for child in _children(waiting.pop()):
            if child.fullname not in found:
                found[child.fullname] = None
                waiting.append(child)
    return frozenset(found)


def _children(parent: Table) -> Iterator[Table]:
    is_soft = "deleted_at" in parent.c
    for other in parent.metadata.tables.values():
        for constraint in other.foreign_key_constraints:
            if constraint.referred_table is parent and (is_soft or (constraint.ondelete or "").upper() in _WRITING):
                yield other
