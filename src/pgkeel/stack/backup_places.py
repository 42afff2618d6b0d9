"""Whether a copy of the backups is really elsewhere: one on the disk of the data is lost together with it."""

from pathlib import Path

from pgkeel.core.project import Project
from pgkeel.stack.memory import Memory

__all__ = ["copies_on_the_datas_disk"]


def copies_on_the_datas_disk(project: Project, memory: Memory | None) -> tuple[str, ...]:
    """Return what is wrong with each repository but the first that lies on the file system of the data directory."""
    if memory is None:
        return ()
    addresses = list(project.config.backup.repositories.items())[1:]
    folders = {name: project.root / address.removeprefix("file://") for name, address in addresses if "s3://" not in address}
    data = _device(memory.server)
    return tuple(
        f"the repository {name} lies on the disk of the data, and is lost with it: {folder}"
        for name, folder in folders.items()
        if _device(folder) == data
    )


def _device(folder: Path) -> int:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.stat().st_dev
