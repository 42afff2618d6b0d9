"""Leave no empty folders behind: whoever only looked, tried a restore or said no has the project as it was before."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pgkeel.core.errors import KeelError
from pgkeel.core.telling import silent
from pgkeel.stack.folders import delete_folder, is_ours, own_folder, prepare
from pgkeel.stack.layout import MARKER, Layout
from pgkeel.stack.lock import exclusive

__all__ = ["housed", "without_traces"]


@contextmanager
def without_traces(layout: Layout) -> Iterator[None]:
    """Delete the stack's folders after the block where they were not there before it and nothing is kept in them."""
    missing = [folder for folder in (layout.server_elsewhere, layout.state) if not folder.exists()]
    try:
        yield
    finally:
        with suppress(OSError, KeelError):  # what went wrong in the block is what is to be heard of
            if any(folder.exists() for folder in missing):
                with exclusive(layout, silent):
                    _sweep(missing)


@contextmanager
def housed(layout: Layout, server: Path) -> Iterator[None]:
    """Have the servers' folder while the block runs, with the marks by which `reset` knows it; an empty new one goes."""
    with without_traces(layout):
        if server.is_relative_to(layout.state):
            prepare(layout)
        own_folder(server)
        yield


def _sweep(folders: list[Path]) -> None:
    for folder in folders:
        if is_ours(folder) and not any(_is_kept(entry) for entry in folder.rglob("*")):
            delete_folder(folder)


def _is_kept(entry: Path) -> bool:
    return entry.name not in {MARKER, "lock"} and (entry.is_symlink() or not entry.is_dir())
