"""The shapes of this folder's fixtures."""

from collections.abc import Callable
from pathlib import Path

Write = Callable[[str, str], Path]
Tables = Callable[[], set[str]]
