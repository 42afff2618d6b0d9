"""Restore a backup into a scratch server and look at it: a backup counts as verified only after that."""

import os
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from pgkeel.agent.reach import Cancelled
from pgkeel.backup import read_catalogue
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.marks import mark_verified
from pgkeel.backup.recovery.checks import Check, check_offline, check_online
from pgkeel.backup.recovery.drills import Drill, differing, drills_of, fingerprints, proved_by, store_drill
from pgkeel.backup.recovery.errors import NotRestorable, TablespaceMade
from pgkeel.backup.recovery.gather import gather
from pgkeel.backup.recovery.listing import FilesDiffer
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.backup.recovery.side import promote
from pgkeel.backup.recovery.undecided import roll_back_undecided
from pgkeel.backup.recovery.wal import Wal
from pgkeel.backup.recovery.wish import Wish
from pgkeel.core import clock
from pgkeel.core.errors import KeelError, NotFound
from pgkeel.core.log import get_logger
from pgkeel.core.project import Project
from pgkeel.core.repository import Repository
from pgkeel.core.telling import Report, counted
from pgkeel.stack.beside import scratch_restore
from pgkeel.stack.recovery_checks import assertions_of, looks_of
from pgkeel.stack.recovery_guard import require_no_recovery
from pgkeel.stack.restoring import Scene, scene_of
from pgkeel.stack.vault import repositories_of

__all__ = ["drill", "drills", "plan_drill"]

log = get_logger(__name__)


def drill(
    project: Project, *, report: Report, backup: str | None = None, source: str | None = None, both_ways: bool = False
) -> Drill:
    """Restore a backup to the newest point that leads from it, verify it, measure, and remember what was seen.

    The server's own WAL is left out: what comes back is what would come back after its disk was lost.

    Args:
        project: Whose.
        report: Hears each step.
        backup: Which one; the newest when not given.
        source: Only from this repository.
        both_ways: Restore the full backup with all of the WAL too, and compare every row of both.

    Raises:
        ConfigError: Nothing here opens the backups.
        NotRestorable: There is no such backup.
    """
    whole = msgspec.structs.replace(scene_of(project, source=source), may_use_image=False)
    require_no_recovery(whole.layout)
    archive = msgspec.structs.replace(whole.archive, folders=whole.archive.folders[:1])
    scene = _narrowed(msgspec.structs.replace(whole, archive=archive), backup)
    base = _newest(scene)
    found = msgspec.structs.replace(_try(scene, whole, base, report, both_ways=both_ways), repository=source or "")
    for repository in _memories(project, scene, source):
        _remember(repository, found, is_adopted=scene.engine is not None)
    return found


def _memories(project: Project, scene: Scene, source: str | None) -> tuple[Repository, ...]:
    """Return where it is written down: in every repository of the project, for a copy that was proved holds the same bytes."""
    is_ours = scene.engine is None and (source is None or source in project.config.backup.repositories)
    return repositories_of(project) if is_ours else tuple(scene.archive.repositories)


def _remember(repository: Repository, found: Drill, *, is_adopted: bool) -> None:
    try:
        store_drill(repository, found)
        records = [one for one in read_catalogue(repository).records if one.system_identifier == found.system]
        known = {*found.chain} if is_adopted else {one.id for one in records}
        for name in proved_by(found, records):
            if name in known:
                mark_verified(repository, found.system, name, found.finished_at)
    except KeelError as err:
        log.warning("drill.not_noted", repository=repository.name, error=err.message)


def plan_drill(project: Project, *, backup: str | None = None, source: str | None = None) -> str:
    """Return the id of the backup that `drill` would restore."""
    return _newest(_narrowed(scene_of(project, source=source), backup))


def drills(project: Project) -> tuple[Drill, ...]:
    """Return the drills that the first repository remembers of the project's cluster, oldest first."""
    scene = scene_of(project)
    return drills_of(scene.archive.repositories[0], scene.system)


def _newest(scene: Scene) -> str:
    found = next((one.id for one in reversed(scene.records) if one.kind != "wal"), None)
    if found is None:
        raise NotRestorable("there is no backup with data in it", hint="`pgkeel backup full` takes one")
    return found


def _narrowed(scene: Scene, backup: str | None) -> Scene:
    """Return the scene as if no backup had been taken after the one that is named."""
    if backup is None:
        return scene
    wanted = next((one for one in scene.records if one.id == backup and one.kind != "wal"), None)
    if wanted is None:
        raise NotFound(f"there is no backup {backup} with data in it", hint="`pgkeel backup list` shows what is there")
    needed = tuple(one for one in scene.records if one.id in {backup, wanted.parent})
    return msgspec.structs.replace(scene, records=tuple(sorted(needed, key=lambda one: one.finished_at)))


def _try(scene: Scene, whole: Scene, backup: str, report: Report, *, both_ways: bool) -> Drill:
    began, started = clock.monotonic(), clock.now()
    blank = Drill(started.strftime("%Y%m%dT%H%M%S.%fZ"), backup, (backup,), scene.system, None, started, started, None, None, ())
    try:
        timeline = next(one.timeline for one in scene.records if one.id == backup)
        wish = Wish(timeline=timeline)  # a drill proves the backup, whatever has begun after it
        with scratch_restore(scene, wish, f"drill-{blank.id}", report, agree=lambda _: True) as (plan, server, files):
            promote(server)
            roll_back_undecided(server)
            rto = round(clock.monotonic() - began, 3)
            database, assertions = scene.project.config.database.name, assertions_of(scene.project)
            rows = fingerprints(server, database) if both_ways else {}
            looks = looks_of(scene, plan)
            online = check_online(server, scene.tools, database, more=looks, assertions=assertions, report=report)
            server.stop()
            checks = (files, *online, check_offline(server, scene.tools, report))
            rpo = _missing(whole, plan, server.data.parent)
        if both_ways:
            checks = (*checks, _other_way(scene, plan, rows, report))
    except Cancelled:
        raise
    except KeelError as err:
        checks = (Check("pg_verifybackup" if isinstance(err, FilesDiffer) else "restore", False, err.message),)
        return msgspec.structs.replace(blank, finished_at=clock.now(), checks=checks)
    return msgspec.structs.replace(
        blank, chain=plan.chain, target=plan.target, finished_at=clock.now(), rto_seconds=rto, rpo_seconds=rpo, checks=checks
    )


def _other_way(scene: Scene, plan: Plan, rows: dict[str, tuple[int, str]], report: Report) -> Check:
    """Restore the full backup alone and replay to the same commit: every row must be the same."""
    if len(plan.chain) == 1:
        return Check("both ways", None, "not evaluated: there is no incremental backup since the full one")
    only = _narrowed(scene, plan.chain[0])
    wish = Wish(lsn=parse_lsn(plan.target.lsn) + 1)
    try:
        with scratch_restore(only, wish, f"drill-b-{os.getpid()}", report, agree=lambda _: True) as (_, server, _):
            promote(server)  # until then what was prepared and not decided holds its locks
            roll_back_undecided(server)
            other = fingerprints(server, scene.project.config.database.name)
    except TablespaceMade as err:  # the incremental backup brings it back, WAL alone does not
        return Check("both ways", None, f"not evaluated: {err.message}")
    names = differing(rows, other)
    return Check("both ways", not names, ", ".join(names) or f"{counted(len(rows), 'table')} hash equal")


def _missing(whole: Scene, plan: Plan, place: Path) -> float | None:
    """Return how many seconds of commits only the server itself has."""
    if not whole.archive.folders[1].is_dir():
        return None
    with TemporaryDirectory(dir=place) as folder:
        start = parse_lsn(plan.target.lsn)
        gather(whole.archive, plan.target.timeline, start, None, Path(folder) / "wal")
        times = [one.time for one in Wal(Path(folder) / "wal", plan.target.timeline, start).commits(whole.tools)]
    known = plan.target.time or min(times, default=None)
    return max((at - known) / timedelta(seconds=1) for at in times) if known and times else 0.0
