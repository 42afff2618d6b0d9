"""`recover`: the design's five steps, each written down before and after; killed anywhere, it goes on where it was.

Nothing is ever restored over data: the recovered server grows in a folder of its own, and two renames make it the real one.
"""

import contextlib
import getpass
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from pgkeel.backup.recovery.checks import check_offline, check_online
from pgkeel.backup.recovery.errors import VerificationFailed
from pgkeel.backup.recovery.image import IMAGE, forget_image
from pgkeel.backup.recovery.journal import Journal, work_off, write_journal
from pgkeel.backup.recovery.resolve import Plan
from pgkeel.backup.recovery.side import promote, show_settings
from pgkeel.backup.recovery.tablespaces import follow_move
from pgkeel.backup.recovery.undecided import require_decided
from pgkeel.backup.recovery.wish import Wish
from pgkeel.core import clock
from pgkeel.core.errors import ConfigError, KeelError, Refused, UsageError
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.local import Cluster, find_runtime
from pgkeel.local.folders import make_folder
from pgkeel.stack.background import ensure_agent
from pgkeel.stack.escrow import bring_key_back
from pgkeel.stack.fencing import connections_of, shut
from pgkeel.stack.folders import explained, own_folder
from pgkeel.stack.layout import layout_of
from pgkeel.stack.lock import exclusive
from pgkeel.stack.memory import recall
from pgkeel.stack.postgres import ensure_postgres
from pgkeel.stack.readmission import readmit
from pgkeel.stack.recovery_checks import assertions_of, looks_of
from pgkeel.stack.recovery_guard import WAYS_OUT, journal_file, require_no_recovery
from pgkeel.stack.recovery_undo import back_up, last_recovery, open_recovery, stop_server
from pgkeel.stack.restoring import (
    Scene,
    bring_back,
    open_side,
    replay,
    require_own_cluster,
    require_room_for,
    scene_of,
    side_cluster,
)
from pgkeel.stack.targets import plan_of
from pgkeel.stack.traces import without_traces
from pgkeel.stack.valkey import ensure_valkey

__all__ = ["recover", "resume"]

Agree = Callable[[Plan], bool]


def recover(
    project: Project,
    wish: Wish,
    *,
    report: Report,
    agree: Agree,
    keep_sessions: bool = False,
    source: str | None = None,
    system: str | None = None,
    since: datetime | None = None,
) -> Journal:
    """Bring the embedded server back to a point, and return what was done.

    Args:
        project: Whose.
        wish: Where to.
        report: Hears each step, in words.
        agree: Sees the plan and returns whether to go on; nothing was changed until then.
        keep_sessions: Whether logins survive; else everybody logs in again.
        source: Repository to recover from; all configured ones when not given.
        system: Which cluster, where the repository holds several.
        since: How far back a transaction is looked for.

    Raises:
        Refused: `agree` said no, or a recovery is open.
        NotRestorable: No backup leads there.
        VerificationFailed: What was restored is not sound; the old server is still there, and so is the journal.
    """
    if project.is_external:
        raise UsageError("pgkeel does not run this server", hint="`pgkeel recover --into DIR` brings it up beside the real one")
    layout = layout_of(project)
    with without_traces(layout), explained(layout.state), exclusive(layout, report):
        require_no_recovery(layout)
        scene = scene_of(project, source=source, system=system)
        require_own_cluster(scene)
        _require_major(scene)
        _sweep(scene)
        name = clock.now().strftime("%Y%m%dT%H%M%SZ")
        own_folder(scene.server)
        side = make_folder(scene.server / f"recovery-{name}")
        with _gone_unless_agreed(side):
            plan = plan_of(scene, wish, side / "wal", since=since)
            if not agree(plan):
                raise Refused("nothing was changed", hint="add --yes")
            require_room_for(plan, side)
        journal = _journal(scene, plan, wish, side, source=source, keep_sessions=keep_sessions)
        write_journal(journal_file(layout), journal)
        return _work(scene, journal, report)


def _journal(scene: Scene, plan: Plan, wish: Wish, side: Path, *, source: str | None, keep_sessions: bool) -> Journal:
    name = side.name.removeprefix("recovery-")
    return Journal(
        id=name,
        plan=plan,
        wish=wish,
        system=scene.system,
        directory=scene.directory,
        side=side,
        undo=scene.server / f"before-{name}",
        source=source,
        keep_sessions=keep_sessions,
        started_at=clock.now(),
        operator=getpass.getuser(),
    )


def resume(project: Project, *, report: Report, accept_checks: bool = False) -> Journal:
    """Finish the open recovery.

    Args:
        project: Whose.
        report: Hears each step.
        accept_checks: Go on although a check of step 4 fails.

    Raises:
        NotFound: None is open.
    """
    layout = layout_of(project)
    with explained(layout.state), exclusive(layout, report):
        journal = open_recovery(project)
        return _work(
            scene_of(project, source=journal.source, system=journal.system), journal, report, accept_checks=accept_checks
        )


def _work(scene: Scene, journal: Journal, report: Report, *, accept_checks: bool = False) -> Journal:
    verify = partial(_verify, accept=accept_checks)
    acts = [partial(act, scene, report) for act in (_stop_application, _restore, _apply, verify, _resume)]
    try:
        journal = work_off(journal_file(scene.layout), journal, acts, report)
    except KeelError as err:
        if "pgkeel recover undo" not in err.hint:  # the application is shut out: nobody may be left to look for the way
            err.hint = f"{err.hint}; the recovery is open: {WAYS_OUT}"
        raise
    except KeyboardInterrupt as err:
        raise UsageError("interrupted", hint=f"the recovery is open: {WAYS_OUT}") from err
    ensure_agent(scene.project, scene.layout, report)
    back_up(scene.project, report)
    return journal


def _stop_application(scene: Scene, report: Report, journal: Journal) -> Journal:
    """Step 1: nobody is connected afterwards, and nobody can connect; what was committed last is in the plan.

    The old server keeps its door shut, so that nobody works on it by mistake who starts it by hand; `undo` opens it.
    """
    if journal.connections is None:
        journal = replace(journal, connections=connections_of(scene.project))
        write_journal(journal_file(scene.layout), journal)
    shut(scene.project, report)
    stop_server(scene.layout, report)
    if journal.wish != Wish(timeline=journal.wish.timeline):
        return journal
    shutil.rmtree(journal.side / "wal", ignore_errors=True)
    return replace(journal, plan=plan_of(scene, journal.wish, journal.side / "wal"))


def _restore(scene: Scene, report: Report, journal: Journal) -> Journal:
    """Step 2: into a folder of its own."""
    _kill_side(scene, journal)
    files = bring_back(scene, journal.plan, journal.side, report)
    bring_key_back(scene, journal.plan, report)
    return replace(journal, files=files)


def _apply(scene: Scene, report: Report, journal: Journal) -> Journal:
    """Step 3: on a private socket, to exactly the target; a server that was promoted before the kill is only started."""
    if (journal.side / "data" / "recovery.signal").exists():
        server = replay(scene, journal.plan, journal.side, report)
    else:
        server = open_side(scene, journal.plan, journal.side)
        server.start()
    return replace(journal, timeline=promote(server))


def _verify(scene: Scene, report: Report, journal: Journal, *, accept: bool) -> Journal:
    """Step 4: every check runs; one that fails leaves the recovery open."""
    server = open_side(scene, journal.plan, journal.side)
    server.start()
    require_decided(server)
    database = scene.project.config.database.name
    looks, assertions = looks_of(scene, journal.plan), assertions_of(scene.project)
    checks = check_online(server, scene.tools, database, more=looks, assertions=assertions, report=report)
    server.stop()
    checks = (*([journal.files] if journal.files else []), *checks, check_offline(server, scene.tools, report))
    for check in checks:
        report(f"  {'✓' if check.ok else '✗' if check.ok is False else '-'} {check.name}: {check.detail}")
    failed = [check for check in checks if check.ok is False]
    journal = replace(journal, checks=checks)
    if failed and not accept:
        write_journal(journal_file(scene.layout), journal)
        raise VerificationFailed(
            f"{failed[0].name}: {failed[0].detail}",
            hint="`pgkeel recover undo` brings the old server back, `pgkeel recover resume --accept-checks` goes on",
            data={"checks": [{"name": one.name, "ok": one.ok, "detail": one.detail} for one in checks]},
        )
    return journal


def _resume(scene: Scene, report: Report, journal: Journal) -> Journal:
    """Step 5: what must be true before anybody connects, then two renames, then the server is open to all."""
    if journal.side.is_dir():
        _readmit(scene, journal, report)
        _swap(journal)
    follow_move(journal.directory)
    forget_image(scene.server / IMAGE)  # it has not gone this way
    report("opening the server")
    memory = ensure_postgres(scene.project, scene.layout, report)
    ensure_valkey(scene.project, scene.layout, memory, report)
    return journal


def _readmit(scene: Scene, journal: Journal, report: Report) -> None:
    memory = recall(scene.layout)
    if memory is not None:  # what it kept of the lost future must go before anybody reads
        ensure_valkey(scene.project, scene.layout, memory, report)
    server = open_side(scene, journal.plan, journal.side)
    server.start()
    readmit(scene, journal, server, report)
    server.stop()
    show_settings(server.data)
    shutil.rmtree(journal.side / "wal", ignore_errors=True)
    before = next(
        (place for place in (journal.undo, journal.directory) if place is not None and place.is_dir()), journal.directory
    )
    with contextlib.suppress(FileNotFoundError):  # the old one's port; a server whose folder is gone has none
        shutil.copy2(before / "cluster.json", journal.side / "cluster.json")


def _swap(journal: Journal) -> None:
    """Put the old server's folder aside and the recovered one in its place; done again after a kill between the two."""
    if journal.undo is not None and journal.directory.is_dir() and not journal.undo.exists():
        journal.directory.rename(journal.undo)
    journal.side.rename(journal.directory)


def _kill_side(scene: Scene, journal: Journal) -> None:
    if Cluster.exists(journal.side):
        side_cluster(scene, journal.side, {}).kill()


def _require_major(scene: Scene) -> None:
    wanted = find_runtime(scene.project.config.local.postgres, account=scene.account)
    if wanted.major != scene.runtime.major:
        raise ConfigError(
            f"the backups are of PostgreSQL {scene.runtime.major}, but local.postgres is {wanted.major}",
            hint=f'set local.postgres = "{scene.runtime.major}"',
        )


def _sweep(scene: Scene) -> None:
    """Remove what was restored by runs that were killed before they had a journal."""
    last = last_recovery(scene.project)
    for left in scene.server.glob("recovery-*"):
        if last is None or left != last.side:
            shutil.rmtree(left)


@contextlib.contextmanager
def _gone_unless_agreed(side: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:  # a full disk most of all
        shutil.rmtree(side, ignore_errors=True)
        raise
