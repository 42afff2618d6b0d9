"""Which tables a write may change besides its own: what foreign keys and soft deletes carry on."""

from collections.abc import Iterator
from functools import lru_cache

from sqlalchemy import ForeignKey, Table

__all__ = ["carried_columns", "dependents_of"]

_OF_SOFT_DELETES = {"deleted_at", "status"}
_CARRYING = {"CASCADE", "SET NULL", "SET DEFAULT"}


def dependents_of(table: Table) -> tuple[str, ...]:
    """Return the tables that point to this one, near or far: soft delete and the actions of foreign keys follow them."""
    found, waiting = {table.fullname: table}, [table]
    while waiting:
        parent = waiting.pop()
        for key in _pointing_to(parent):
            child = key.parent.table
            if child.fullname not in found:
                found[child.fullname] = child
                waiting.append(child)
    return tuple(name for name in found if name != table.fullname)


def carried_columns(table: Table) -> frozenset[str]:
    """Return the columns of which a new value may change rows of other tables: by soft delete, or as foreign keys say."""
    return _carried(table, len(table.metadata.tables))


@lru_cache(maxsize=1_000)
def _carried(table: Table, _tables: int) -> frozenset[str]:
    ours = _OF_SOFT_DELETES.intersection(table.c.keys())
    keys = (key for key in _pointing_to(table) if (key.onupdate or "").upper() in _CARRYING)
    return frozenset({*ours, *(key.column.name for key in keys)})


def _pointing_to(table: Table) -> Iterator[ForeignKey]:
    for child in table.metadata.tables.values():
        yield from (key for column in child.c for key in column.foreign_keys if key.references(table))
