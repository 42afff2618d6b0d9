"""Encrypted columns of rows that come back: sealed by a key of then, and perhaps not encrypted then at all."""

from collections.abc import Sequence
from typing import Protocol

from psycopg import sql

from pgkeel.backup.rows.shape import Shape, Table
from pgkeel.core.errors import Refused

__all__ = ["Resealer", "WithoutKeys", "written_columns"]


class Resealer(Protocol):
    """Seals what waits to be put back as a live application would; whoever has the keys is one."""

    def columns(self, table: Table) -> Sequence[str]:
        """Return the encrypted columns of a table and those by which their values are found."""
        ...

    def reseal(self, table: Table, waiting: sql.Identifier) -> None:
        """Seal the waiting rows of a table by today's key and reckon how they are found; what is the same as it lives, stays."""
        ...


class WithoutKeys:
    """Knows of no encrypted column."""

    def columns(self, _table: Table) -> Sequence[str]:
        """Return none."""
        return ()

    def reseal(self, _table: Table, _waiting: sql.Identifier) -> None:
        """Nothing is to be done."""


def written_columns(shape: Shape, resealer: Resealer) -> tuple[str, ...]:
    """Return which columns of a table are written: what both sides have, and what is reckoned for encrypted columns.

    Raises:
        Refused: A text became `bytea` since, and nobody knows how.
    """
    known = resealer.columns(shape.table)
    strange = [name for name in shape.sealed if name not in known]
    if strange:
        hint = "was it encrypted since? [schema] models must say so; else put the rows back by hand from `pgkeel recover beside`"
        raise Refused(f"{shape.table}.{strange[0]} was a text then and is bytea now", hint=hint)
    return (*shape.columns, *(name for name in known if name in shape.added))
