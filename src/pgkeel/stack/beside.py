"""A copy of the database as it was, beside the one that runs: to look at, to take rows from, to try a backup."""

import fcntl
import getpass
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec

from pgkeel.backup.recovery.checks import Check
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.backup.recovery.side import promote
from pgkeel.backup.recovery.undecided import roll_back_undecided
from pgkeel.backup.recovery.wish import Wish
from pgkeel.backup.rows import RowsBack, put_back, require_condition, require_key, require_which
from pgkeel.backup.rows.resealing import WithoutKeys
from pgkeel.backup.rows.shape import Table
from pgkeel.core import clock
from pgkeel.core.errors import Refused
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.core.url import Url
from pgkeel.local import Cluster, choose_account
from pgkeel.local.folders import make_folder
from pgkeel.postgres import Connection
from pgkeel.postgres import connect as open_connection
from pgkeel.security.names import RoleWord
from pgkeel.stack.connection import connect
from pgkeel.stack.deletions import DeletionsSince
from pgkeel.stack.folders import explained
from pgkeel.stack.layout import layout_of
from pgkeel.stack.postgres import place_of_servers
from pgkeel.stack.readmission import forget_cache
from pgkeel.stack.recovery_guard import require_no_recovery
from pgkeel.stack.resealing import resealing_of
from pgkeel.stack.restoring import Scene, bring_back, replay, scene_of, server_in
from pgkeel.stack.targets import plan_of
from pgkeel.stack.traces import housed

__all__ = ["Beside", "end_beside", "has_beside", "open_beside", "recover_rows", "scratch_restore"]

_APPLICATION = "pgkeel recover rows"
_DRAFT = timedelta(minutes=1)
_BESIDE = "beside"

Agree = Callable[[Plan], bool]


class Beside(msgspec.Struct, frozen=True):
    """A copy that runs.

    Attributes:
        plan: What it is a copy of.
        url: Its address: a socket that only the servers' account and root reach.
        directory: Its folder.
    """

    plan: Plan
    url: Url
    directory: Path


@contextmanager
def scratch_restore(
    scene: Scene, wish: Wish, name: str, report: Report, *, agree: Agree, since: datetime | None = None
) -> Iterator[tuple[Plan, Cluster, Check]]:
    """Yield a copy of the cluster, paused at the point and read-only, and what was found on the disk; it is gone after the block.

    Raises:
        FilesDiffer: Its files are not what was backed up.
        Refused: `agree` said no.
        NotRestorable: No backup leads there.
        DiskFull: There was no room for it; what was written is gone again.
    """
    with housed(scene.layout, scene.server), _owned(scene, name) as directory, explained(scene.server):
        plan = plan_of(scene, wish, directory / "wal", since=since)
        _require_consent(plan, agree)
        files = bring_back(scene, plan, directory, report)
        yield plan, replay(scene, plan, directory, report), files


@contextmanager
def _owned(scene: Scene, name: str) -> Iterator[Path]:
    _sweep(scene)
    directory = scene.server / name
    owner = _made(directory)
    try:
        yield directory
    finally:
        _remove(scene.project, directory)
        os.close(owner)


@contextmanager
def _now_and_then(project: Project, server: Cluster, report: Report) -> Iterator[tuple[Connection, Connection]]:
    """Yield a connection to the live database and one to the same database as it was, on a copy that is paused until now."""
    promote(server)
    roll_back_undecided(server)
    report("comparing")
    url = server.superuser_url(project.config.database.name)
    with _live(project) as live, open_connection(url, application=_APPLICATION) as past:
        yield live, past


def _live(project: Project) -> Connection:
    role: RoleWord = "owner" if project.is_external else "superuser"
    return connect(project, role, application=_APPLICATION)


def recover_rows(
    project: Project,
    table: Table,
    wish: Wish,
    *,
    report: Report,
    agree: Agree,
    where: str = "true",
    changed: bool = False,
    dry_run: bool = False,
    script: bool = False,
    source: str | None = None,
    since: datetime | None = None,
) -> tuple[Plan, RowsBack]:
    """Put rows back that the database has lost since a point; see `backup.rows.put_back`.

    Args:
        project: Whose.
        table: Whose rows.
        wish: The point at which they still were there.
        report: Hears each step.
        agree: Sees the plan and says whether to go on.
        where: Which rows, in SQL, as they were.
        changed: Whether rows that differ are set back too.
        dry_run: Do it and take it back.
        script: Whether to return the statements.
        source: Repository to take them from.
        since: How far back a transaction is looked for.

    Raises:
        UsageError: `changed` without `where`, or that is no condition.
        NotFound: The database has no such table; nothing was restored.
        NoPrimaryKey: It has no primary key; nothing was restored.
    """
    require_which(where, changed=changed)
    _require_askable(project, table, where)
    put = partial(put_back, where=where, changed=changed, dry_run=dry_run, script=script)
    name, scene = f"rows-{clock.now():%Y%m%dT%H%M%S.%fZ}", _calm_scene(project, source)
    with (
        scratch_restore(scene, wish, name, report, agree=agree, since=since) as (plan, server, _),
        _now_and_then(project, server, report) as (live, past),
    ):
        actor, resealer = f"{getpass.getuser()}, pgkeel recover {name}", resealing_of(project, live, past) or WithoutKeys()
        deletions = DeletionsSince(scene, plan, scene.server / name / "wal", live)
        done = put(live, past, table, actor=actor, resealer=resealer, deletions=deletions)
    if not dry_run and (done.restored or done.changed):
        forget_cache(project, report)
    return plan, done


def _require_askable(project: Project, table: Table, where: str) -> None:
    """Prove what can be proved before anything is restored."""
    require_no_recovery(layout_of(project))
    with _live(project) as live:
        require_key(live, table)
        require_condition(live, table, where)


def open_beside(
    project: Project, wish: Wish, *, report: Report, agree: Agree, source: str | None = None, since: datetime | None = None
) -> Beside:
    """Start a read-only copy of the cluster as it was, which stays until `end_beside`; an earlier one goes.

    Raises:
        Refused: `agree` said no.
        NotRestorable: No backup leads there.
    """
    scene = _calm_scene(project, source)
    with housed(scene.layout, scene.server):
        return _opened(scene, wish, agree, report, since=since)


def _opened(scene: Scene, wish: Wish, agree: Agree, report: Report, *, since: datetime | None) -> Beside:
    directory = scene.server / _BESIDE
    with _planned_for(scene, wish, agree, since=since) as (plan, draft):
        _remove(scene.project, directory)
        draft.rename(directory)
    try:
        with explained(scene.server):
            bring_back(scene, plan, directory, report)
            server = replay(scene, plan, directory, report)
    except BaseException:
        _remove(scene.project, directory)
        raise
    return Beside(plan, server.superuser_url(scene.project.config.database.name).without_password(), directory)


@contextmanager
def _planned_for(scene: Scene, wish: Wish, agree: Agree, *, since: datetime | None) -> Iterator[tuple[Plan, Path]]:
    """Yield a plan that was agreed to and a folder with its WAL; until then an earlier copy is left alone."""
    draft = scene.server / f"{_BESIDE}-next"
    _remove(scene.project, draft)
    make_folder(draft)
    try:
        with explained(scene.server):
            plan = plan_of(scene, wish, draft / "wal", since=since)
            _require_consent(plan, agree)
            yield plan, draft
    finally:
        _remove(scene.project, draft)


def has_beside(project: Project) -> bool:
    """Return whether there is a copy; no repository is asked."""
    return _place(project).is_dir()


def end_beside(project: Project) -> bool:
    """Stop and delete the copy; return whether there was one. No repository is asked."""
    directory = _place(project)
    there = directory.is_dir()
    _remove(project, directory)
    return there


def _place(project: Project) -> Path:
    return place_of_servers(layout_of(project), choose_account(project.config.local.run_as)) / _BESIDE


def _calm_scene(project: Project, source: str | None) -> Scene:
    scene = scene_of(project, source=source)
    require_no_recovery(scene.layout)
    return scene


def _require_consent(plan: Plan, agree: Agree) -> None:
    if not agree(plan):
        raise Refused("nothing was changed", hint="add --yes")


def _made(directory: Path) -> int:
    """Make a folder and hold it, under another name until then: what nobody holds, another run sweeps away."""
    draft = make_folder(directory.with_name(f".{directory.name}"))
    descriptor = _own(draft)
    draft.rename(directory)
    return descriptor


def _own(directory: Path) -> int:
    """Hold a folder as long as this process lives; the kernel lets go however it dies."""
    descriptor = os.open(directory / "owner", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _sweep(scene: Scene) -> None:
    """Remove the copies of runs that were killed; their servers may still be at work."""
    kinds = ("rows-*", "drill-*")
    for left in [folder for kind in kinds for folder in (*scene.server.glob(kind), *_drafts(scene, kind))]:
        try:
            descriptor = _own(left)
        except (BlockingIOError, FileNotFoundError):  # it is at work, or has just ended
            continue
        _remove(scene.project, left)
        os.close(descriptor)


def _drafts(scene: Scene, pattern: str) -> Iterator[Path]:
    """Yield folders that were made and never got their name: whoever is at work on one needs a moment, nobody a minute."""
    latest = (clock.now() - _DRAFT).timestamp()
    for draft in scene.server.glob(f".{pattern}"):
        with suppress(FileNotFoundError):  # it has its name by now
            if draft.stat().st_mtime < latest:
                yield draft


def _remove(project: Project, directory: Path) -> None:
    server = server_in(project, directory)
    if server is not None:
        server.destroy()
    shutil.rmtree(directory, ignore_errors=True)
