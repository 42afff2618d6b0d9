"""What a command says to a person while it works."""

from collections.abc import Callable

__all__ = ["Report", "counted", "silent"]

Report = Callable[[str], None]
"""Takes a line, without its end."""


def silent(_line: str) -> None:
    """Say nothing."""


def counted(number: int, thing: str, things: str | None = None) -> str:
    """Return a number with its noun: `1 row`, `2,000 rows`, `0 matches` (where `things` says how many are called)."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"
