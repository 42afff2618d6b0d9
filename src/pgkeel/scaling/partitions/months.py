"""A calendar month in UTC: the unit of partitioning."""

from datetime import UTC, datetime
from typing import Self

import msgspec

__all__ = ["Month"]


class Month(msgspec.Struct, frozen=True, order=True):
    """A month of UTC.

    Attributes:
        year: 1 to 9998.
        month: 1 to 12.
    """

    year: int
    month: int

    @classmethod
    def of(cls, at: datetime) -> Self:
        """Return the month of an instant, whatever zone it is written in."""
        utc = at.astimezone(UTC)
        return cls(utc.year, utc.month)

    def plus(self, months: int) -> "Month":
        """Return the month so many later."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Month(year, month + 1)

    @property
    def start(self) -> datetime:
        """Its first instant."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first instant after it."""
        return self.plus(1).start

    def suffix(self) -> str:
        """Return `2024_01`."""
        return f"{self.year:04}_{self.month:02}"

    def __str__(self) -> str:
        """Return `2024-01`."""
        return f"{self.year:04}-{self.month:02}"
