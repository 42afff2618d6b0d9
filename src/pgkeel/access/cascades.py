"""Which tables a write may change besides its own: what foreign keys and soft deletes carry on."""

from sqlalchemy import Table

__all__ = ["dependents_of"]


def dependents_of(table: Table) -> tuple[str, ...]:
    """Return the tables that point to this one, near or far: soft delete and the actions of foreign keys follow them."""
    found, waiting = {table.fullname: table}, [table]
    while waiting:
        parent = waiting.pop()
        for child in table.metadata.tables.values():
            carries = any(key.references(parent) for column in child.c for key in column.foreign_keys)
            if carries and child.fullname not in found:
                found[child.fullname] = child
                waiting.append(child)
    return tuple(name for name in found if name != table.fullname)
