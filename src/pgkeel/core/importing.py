"""Where the team's own modules are found: models, handlers, the code of backfills."""

import sys
from pathlib import Path

__all__ = ["search_in"]

_INSTALLED = {"site-packages", "dist-packages"}


def search_in(*folders: Path) -> None:
    """Let the modules of these folders be imported: before what is installed, and after Python's own.

    None may stand in for one of Python's: a project's `secrets.py` is not the one that we import.
    """
    for folder in folders:
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.insert(_first_installed(), str(folder))


def _first_installed() -> int:
    return next((index for index, place in enumerate(sys.path) if Path(place).name in _INSTALLED), len(sys.path))
