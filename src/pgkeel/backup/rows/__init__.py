"""Rows back without rolling the world back: what a past copy has and the live database has lost."""

from pgkeel.backup.rows.back import put_back, require_which
from pgkeel.backup.rows.condition import require_condition
from pgkeel.backup.rows.outcome import RowsBack
from pgkeel.backup.rows.shape import NoPrimaryKey, require_key

__all__ = ["NoPrimaryKey", "RowsBack", "put_back", "require_condition", "require_key", "require_which"]
