"""Work on the calling thread, and the limiter for threads."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pgkeel.core.limits import Limiter, MemoryLimiter

__all__ = ["Limiter", "MemoryLimiter", "aside"]

P = ParamSpec("P")
T = TypeVar("T")


def aside(work: Callable[P, T], /, *given: P.args, **named: P.kwargs) -> T:
    """Do it here."""
    return work(*given, **named)
