"""Whether a copy of the backups is really elsewhere: one on the disk of the data is lost together with it."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pgkeel.core.project import Project
from pgkeel.stack.memory import Memory

__all__ = ["copies_on_the_datas_disk"]


def copies_on_the_datas_disk(project: Project, memory: Memory | None) -> tuple[str, ...]:
    """Return what is wrong with each repository but the first that lies on the file system of the data directory."""
    if memory is None:
        return ()
    addresses = list(project.config.backup.repositories.items())[1:]
    folders = {name: project.root / _path(address) for name, address in addresses if not address.startswith("s3:")}
    data = _device(memory.server)
    return tuple(
        f"the repository {name} lies on the disk of the data, and is lost with it: {folder}"
        for name, folder in folders.items()
        if _device(folder) == data
    )


def _path(address: str) -> str:
    return unquote(urlsplit(address).path) if address.startswith("file:") else address


def _device(folder: Path) -> int:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.stat().st_dev
