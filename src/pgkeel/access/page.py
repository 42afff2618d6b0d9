"""One page of rows and the way to its neighbours."""

from typing import Generic, TypeVar

import msgspec

__all__ = ["Page"]

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
