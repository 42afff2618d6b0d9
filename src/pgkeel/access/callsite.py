"""Where in the caller's code a statement comes from: file, line and function, never a value."""

import sys
import sysconfig
from pathlib import Path
from types import FrameType

import sqlalchemy
from greenlet import getcurrent  # type: ignore[import-untyped]

__all__ = ["call_site", "call_stack"]

_ACCESS = Path(__file__).parent
_OURS = (str(_ACCESS), str(_ACCESS.with_name("cache")), str(Path(sqlalchemy.__file__).parent))
_LIBRARY = sysconfig.get_path("stdlib")
_DEEPEST = 12


def call_site() -> str:
    """Return `file:line function` of the nearest frame outside of the data access and its cache, or "" when there is none."""
    return next(iter(call_stack(1)), "")


def call_stack(most: int = _DEEPEST) -> tuple[str, ...]:
    """Return the caller's frames, nearest first; awaiting coroutines count as callers, also across SQLAlchemy's greenlets."""
    found: list[str] = []
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - documented in `sys`; inspect.stack reads source files
    here = getcurrent()
    while frame is not None and len(found) < most:
        if _is_callers(frame.f_code.co_filename):
            found.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
        while frame is None and here.parent is not None:
            here = here.parent
            frame = here.gr_frame
    return tuple(found)


def _is_callers(file: str) -> bool:
    if file.startswith((*_OURS, "<")):
        return False
    return not file.startswith(_LIBRARY) or "site-packages" in file or "dist-packages" in file
