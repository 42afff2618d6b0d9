"""Whether a mistake that only costs time is an error: under pytest it is, in production it is a warning."""

import os

__all__ = ["is_strict", "set_strict"]

_chosen: bool | None = None


def is_strict() -> bool:
    """Return what was set, else whether pytest runs us (it exports `PYTEST_VERSION`, to child processes too)."""
    return "PYTEST_VERSION" in os.environ if _chosen is None else _chosen


def set_strict(strict: bool | None) -> None:
    """Decide for this process; None leaves it to pytest's presence."""
    global _chosen  # noqa: PLW0603 - one switch a process
    _chosen = strict
