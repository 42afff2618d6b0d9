"""Tablespaces of a restored server: they lie beside its data directory, never where those of the real server may still be."""

import os
import shutil
from pathlib import Path

__all__ = ["PLACE", "follow_move", "set_apart"]

PLACE = "tablespaces"
_LINKS, _MAP = "pg_tblspc", "tablespace_map"


def set_apart(data: Path) -> bool:
    """Move each restored tablespace beside the data directory, put a link in its place, and return whether there was one.

    The map that the backup carries leads to where they lay, so it goes.
    """
    (data / _MAP).unlink(missing_ok=True)
    place = data.parent / PLACE
    shutil.rmtree(place, ignore_errors=True)
    found = [path for path in (data / _LINKS).iterdir() if path.is_dir() and not path.is_symlink()]
    if found:
        place.mkdir(mode=0o700)
    for path in found:
        path.rename(place / path.name)
        path.symlink_to(place / path.name)
    return bool(found)


def follow_move(directory: Path) -> None:
    """Let the links of a server that was moved together with its tablespaces lead to where they are now."""
    for target in (directory / PLACE).glob("[0-9]*"):
        link = directory / "data" / _LINKS / target.name
        if link.is_symlink() and link.readlink() != target:
            fresh = link.with_name(f"{target.name}.new")
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(target)
            status = link.lstat()
            os.chown(fresh, status.st_uid, status.st_gid, follow_symlinks=False)
            fresh.rename(link)
