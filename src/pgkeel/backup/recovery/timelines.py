"""Keep a recovery from beginning a timeline that has been begun before: two histories under one number cannot be told apart.

PostgreSQL takes the first number after the target's whose history file its `restore_command` does not find. After a recovery
was undone, or when a second one goes back behind the first, that number may long be in the repository.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pgkeel.backup.lsn import timeline_of
from pgkeel.backup.places import history_key
from pgkeel.backup.records import Record
from pgkeel.backup.recovery.gather import Archive
from pgkeel.core.files import write_whole

__all__ = ["hold_timelines", "newest_timeline"]

_NAMED = re.compile(r"[0-9A-F]{8}(?:[0-9A-F]{16}(?:\.partial)?|\.history)")


def newest_timeline(records: Sequence[Record], archive: Archive, system: str) -> int:
    """Return the highest number that a timeline of a cluster has had, as far as backups, WAL and history files tell.

    Args:
        records: Backups of the cluster.
        archive: Where its WAL is.
        system: Its system identifier.
    """
    told = [one.timeline for one in records]
    told += [timeline_of(one.name) for one in archive.segments] + [timeline_of(one.segment) for one in archive.pieces]
    newest = max((*told, *_here(archive.folders)), default=1)
    while any(one.get(history_key(system, newest + 1)) is not None for one in archive.repositories):
        newest += 1
    return newest


def hold_timelines(wal: Path, timeline: int, newest: int) -> None:
    """Say in a folder of WAL that every timeline after the target's exists, up to the newest; nobody reads these files."""
    wal.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(timeline + 1, newest + 1):
        write_whole(wal / f"{number:08X}.history", b"")


def _here(folders: Iterable[Path]) -> list[int]:
    files = (path.name for folder in folders if folder.is_dir() for path in folder.iterdir())
    return [timeline_of(name) for name in files if _NAMED.fullmatch(name)]
