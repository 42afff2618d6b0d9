"""Rows back without rolling the world back: what a past copy has and the live database has lost."""

from pgkeel.backup.rows.again import Deletions, Gone, Storage
from pgkeel.backup.rows.back import put_back
from pgkeel.backup.rows.condition import require_condition, require_which
from pgkeel.backup.rows.outcome import RowsBack, RowsDoNotFit
from pgkeel.backup.rows.shape import NoPrimaryKey, require_key

__all__ = [
    "Deletions",
    "Gone",
    "NoPrimaryKey",
    "RowsBack",
    "RowsDoNotFit",
    "Storage",
    "put_back",
    "require_condition",
    "require_key",
    "require_which",
]
