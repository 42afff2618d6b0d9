"""How constraints and indexes are named: PostgreSQL's own names for constraints, the design's `idx_table_column` for indexes."""

from sqlalchemy import MetaData

__all__ = ["NAMING", "new_metadata"]

NAMING = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "idx_%(table_name)s_%(column_0_N_name)s",
}


def new_metadata(schema: str | None = None) -> MetaData:
    """Return metadata with these names, for the declarative base of your own models."""
    return MetaData(schema=schema, naming_convention=NAMING)
