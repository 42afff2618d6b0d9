"""Rows on their way into a driver's COPY, which raises whatever Python does when a value does not fit its type."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from struct import error as struct_error

__all__ = ["Feed"]

_UNFIT = (TypeError, ValueError, AttributeError, ArithmeticError, struct_error)
Row = Sequence[object]


class Feed:
    """Iterates over rows once and remembers whether it was the rows that broke, not the driver."""

    __slots__ = ("_is_broken", "_rows")

    def __init__(self, rows: Iterable[Row]) -> None:
        """Wrap the rows."""
        self._rows = rows
        self._is_broken = False

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        try:
            yield from self._rows
        except Exception:
            self._is_broken = True
            raise

    @contextmanager
    def refusing(self, refusal: Callable[[], Exception], known: tuple[type[Exception], ...]) -> Iterator[None]:
        """Raise `refusal` where the driver could not write a value; `known` errors, and those of the rows, pass as they are."""
        try:
            yield
        except _UNFIT as err:
            if self._is_broken or isinstance(err, known):
                raise
            refused = refusal()
        else:
            return
        raise refused
