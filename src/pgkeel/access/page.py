"""One page of rows and the way to its neighbours."""

from typing import Generic, TypeVar

import msgspec

__all__ = ["OffsetPage", "Page", "Total"]

R_co = TypeVar("R_co", covariant=True)


class Page(msgspec.Struct, Generic[R_co], frozen=True):
    """Rows of one page, in the order that was asked for.

    Attributes:
        rows: The rows.
        next: Cursor for `after=…`; None on the last page.
        previous: Cursor for `before=…`; None on the first page.
    """

    rows: tuple[R_co, ...]
    next: str | None
    previous: str | None


class Total(msgspec.Struct, frozen=True):
    """How many rows there are.

    Attributes:
        value: The number.
        is_exact: Whether it was counted; else the planner estimates it.
    """

    value: int
    is_exact: bool


class OffsetPage(msgspec.Struct, Generic[R_co], frozen=True):
    """Rows of one page by its number. Rows that come and go meanwhile move the pages behind them: prefer `Page`.

    Attributes:
        rows: The rows.
        number: The page, from 1.
        size: Rows of a full page.
        total: Rows of all pages.
    """

    rows: tuple[R_co, ...]
    number: int
    size: int
    total: Total

    @property
    def pages(self) -> int:
        """How many pages there are, as far as `total` is known."""
        return max(1, -(-self.total.value // self.size))
