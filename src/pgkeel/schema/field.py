"""An encrypted column as whoever holds the keys needs to know it."""

import msgspec

__all__ = ["EncryptedField"]


class EncryptedField(msgspec.Struct, frozen=True):
    """One encrypted column.

    Attributes:
        table: Its table, after its schema if the model names one.
        column: Its name.
        key: The column to whose value a row's sealed values are bound.
        index: The normal form of its blind index, or None.
        by_subject: Whether its values are sealed by the key of the person whose row it is, too.
    """

    table: tuple[str, ...]
    column: str
    key: str
    index: str | None = None
    by_subject: bool = False

    @property
    def table_name(self) -> str:
        """The table as values are bound to it."""
        return ".".join(self.table)

    @property
    def name(self) -> str:
        """Table and column."""
        return f"{self.table_name}.{self.column}"

    @property
    def digest(self) -> str:
        """The column by which values are found."""
        return f"{self.column}_bidx"

    @property
    def next_digest(self) -> str:
        """The column that is filled while keys are rotated."""
        return f"{self.column}_bidx_next"
