"""Backups that Barman, pgBackRest or WAL-G takes: drills, target finding and recovery sit on top of what a team already has."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from pgkeel.backup import Folder, Record
from pgkeel.backup.adopted import Barman, Engine, PgBackRest, WalG
from pgkeel.backup.marks import read_marks
from pgkeel.backup.overview import Entry, Overview, Restorable
from pgkeel.backup.planning import Wish
from pgkeel.backup.recovery.gather import Archive
from pgkeel.core.errors import ConfigError, NotFound, Refused
from pgkeel.core.project import Project
from pgkeel.core.secret import Secret
from pgkeel.stack.vault import backup_folder

__all__ = ["adopted_archive", "adopted_overview", "drill_folder", "engine_of", "require_own", "take_adopted"]

_DRILLS = "drills"


def engine_of(project: Project) -> Engine | None:
    """Return the tool that takes the project's backups, or None where pgkeel does.

    Raises:
        ConfigError: It is not said which of the tool's servers.
    """
    settings = project.config.backup
    if settings.engine == "pgkeel":
        return None
    if settings.engine_server is None:
        what = {"barman": "the server in Barman", "pgbackrest": "the stanza", "wal-g": "the data directory"}[settings.engine]
        raise ConfigError(f"backup.engine is {settings.engine}, but not which server", hint=f"set engine_server to {what}")
    argv = shlex.split(settings.engine_command or settings.engine)
    kinds: dict[str, Callable[[Sequence[str], str], Engine]] = {"barman": Barman, "pgbackrest": PgBackRest, "wal-g": WalG}
    return kinds[settings.engine](argv, settings.engine_server)


def require_own(project: Project, verb: str) -> None:
    """Return where pgkeel takes the backups itself.

    Raises:
        Refused: Another tool does.
    """
    engine = engine_of(project)
    if engine is not None:
        raise Refused(f"{engine.name} keeps these backups", hint=f"{verb} them with {engine.name}'s own command")


def take_adopted(project: Project, engine: Engine, wish: Wish) -> Record:
    """Let the tool take a backup and return it.

    Raises:
        ToolFailed: It said no.
        NotFound: It said yes, but there is none that was not there before.
    """
    before = {record.id for record in engine.backups()}
    engine.take(wish)
    fresh = [record for record in engine.backups() if record.id not in before]
    if not fresh:
        raise NotFound(f"{engine.name} has no new backup of {project.config.backup.engine_server}", hint="run it by hand")
    return fresh[-1]


def adopted_overview(project: Project, engine: Engine) -> Overview:
    """Return what the tool has, and which of it a drill has proved."""
    records = engine.backups()
    marks = read_marks(drill_folder(project))
    entries = tuple(
        Entry(one, marks.verified_at.get((one.system_identifier, one.id)), kept=False, expires_at=None) for one in records
    )
    timelines = sorted({one.timeline for one in records})
    spans = tuple(_span([one for one in records if one.timeline == timeline]) for timeline in timelines)
    return Overview(entries, spans, (), ())


def adopted_archive(project: Project, engine: Engine, folders: Sequence[Path]) -> Archive:
    """Return where WAL is when the tool keeps it; what drills find is kept in a folder of our own."""
    return Archive((drill_folder(project),), Secret(""), folders=tuple(folders), fetch=engine.segment)


def drill_folder(project: Project) -> Folder:
    """Return where it is remembered what drills have shown of another tool's backups."""
    return Folder(_DRILLS, backup_folder(project) / _DRILLS)


def _span(records: list[Record]) -> Restorable:
    return Restorable(records[0].finished_at, max(one.finished_at for one in records), records[0].timeline)
