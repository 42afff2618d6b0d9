"""What the rooms above may rely on when they are handed a model class."""

from typing import Protocol, TypeVar

__all__ = ["HasRow"]

Row_co = TypeVar("Row_co", covariant=True)


class HasRow(Protocol[Row_co]):
    """A model that names the frozen struct which a read of it returns.

    `def repository(self, model: type[HasRow[R]]) -> Repository[R]` is how a reader gets `PostRow` from `Post`.
    At run time `pgkeel.schema.row_class` gives the class; the attribute exists for type checkers only.
    """

    @property
    def __row__(self) -> type[Row_co]:
        """The struct."""
        ...
