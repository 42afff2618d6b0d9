"""How long to wait before a transaction is tried again, and what to call it meanwhile."""

import random

__all__ = ["delay", "name_of_work"]

_FIRST, _LONGEST = 0.01, 1.0


def delay(attempt: int) -> float:
    """Return the seconds before attempt number `attempt + 1`: doubled each time, capped, and anything between half and all of it.

    Two transactions that collided must not come back at the same instant (full jitter would let one starve the other).
    """
    longest = min(_LONGEST, _FIRST * 2**attempt)
    return random.uniform(longest / 2, longest)  # noqa: S311 - nobody has to guess it  # nosec B311


def name_of_work(work: object) -> str:
    """Return the name of a function for the log."""
    return getattr(work, "__qualname__", type(work).__qualname__)
