"""Take the last recovery back: the server that it replaced was kept, and two renames make it the real one again."""

import shutil
from pathlib import Path

from msgspec.structs import replace

from pgkeel.backup.recovery.errors import NotRestorable
from pgkeel.backup.recovery.image import IMAGE, forget_image
from pgkeel.backup.recovery.journal import Journal, read_journal, write_journal
from pgkeel.core import clock
from pgkeel.core.errors import KeelError, LockNotObtained, NotFound
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.stack.background import ensure_agent, stop_agent
from pgkeel.stack.backups import take
from pgkeel.stack.connection import connect
from pgkeel.stack.fencing import open_again
from pgkeel.stack.folders import explained
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.lock import exclusive
from pgkeel.stack.memory import recall
from pgkeel.stack.postgres import ensure_postgres, remembered_cluster
from pgkeel.stack.readmission import begin_epoch, forget_cache
from pgkeel.stack.recovery_guard import journal_file
from pgkeel.stack.restoring import server_in
from pgkeel.stack.valkey import ensure_valkey

__all__ = ["back_up", "last_recovery", "open_recovery", "stop_server", "undo", "undoable"]


def last_recovery(project: Project) -> Journal | None:
    """Return the last recovery of a project, open or not; None when there was none."""
    return read_journal(journal_file(layout_of(project)))


def open_recovery(project: Project) -> Journal:
    """Return the recovery that is open.

    Raises:
        NotFound: None is.
    """
    journal = last_recovery(project)
    if journal is None or journal.state != "open":
        raise NotFound("no recovery is open", hint="`pgkeel recover status` shows the last one")
    return journal


def undoable(project: Project) -> Journal:
    """Return the last recovery if there is a way back from it; nothing is stopped.

    Raises:
        NotFound: There was none, or it is undone already.
        NotRestorable: It replaced no server, or the old one was deleted since.
    """
    journal = last_recovery(project)
    if journal is None or journal.state == "undone":
        raise NotFound("there is no recovery to undo", hint="`pgkeel recover status` shows the last one")
    is_kept = journal.undo is not None and journal.undo.is_dir()
    if journal.state == "done" and not is_kept and not _left(journal).is_dir():
        message = "the server that was replaced is gone, or there was none"
        raise NotRestorable(message, hint="nothing was changed; `pgkeel recover --to TIME` goes to another point")
    return journal


def undo(project: Project, *, report: Report) -> Journal:
    """Bring the server back that the last recovery replaced, and keep the recovered one beside it; a half-done one is deleted.

    Raises:
        NotFound: There was no recovery, or it is undone already.
        NotRestorable: The old server is gone.
    """
    layout = layout_of(project)
    with explained(layout.state), exclusive(layout, report):
        journal = undoable(project)
        stop_server(layout, report)
        _stop_side(project, journal)
        journal = replace(_swap_back(journal, report), state="undone", finished_at=journal.finished_at or clock.now())
        if not journal.directory.is_dir():
            write_journal(journal_file(layout), journal)
            return journal
        _open(project, layout, journal, report)
        write_journal(journal_file(layout), journal)
        ensure_agent(project, layout, report)
        back_up(project, report)
        return journal


def _left(journal: Journal) -> Path:
    return journal.directory.with_name(f"undone-{journal.id}")


def _open(project: Project, layout: Layout, journal: Journal, report: Report) -> None:
    """Start the old server, whose door step 1 shut; the cache forgets what came after it first."""
    memory = recall(layout)
    if memory is not None:
        ensure_valkey(project, layout, memory, report)
    forget_cache(project, report)
    ensure_postgres(project, layout, report)
    with connect(project, "superuser", application="pgkeel recover") as connection:
        begin_epoch(project, connection, "recovery undone", report)
        open_again(connection, project.config.database.name, journal.connections)


def _swap_back(journal: Journal, report: Report) -> Journal:
    """Put the old server's folder back where it was; done again after a kill between the renames."""
    left = _left(journal)
    if journal.undo is not None and journal.undo.is_dir():
        report("bringing the old server back")
        if journal.directory.is_dir() and not left.exists():
            journal.directory.rename(left)
        journal.undo.rename(journal.directory)
    shutil.rmtree(journal.side, ignore_errors=True)
    forget_image(journal.directory.parent / IMAGE)
    return replace(journal, side=left)


def stop_server(layout: Layout, report: Report) -> None:
    """Stop the agent and PostgreSQL, whatever state they are in."""
    stop_agent(layout, report)
    memory = recall(layout)
    cluster = remembered_cluster(layout, memory) if memory else None
    if cluster is not None and cluster.is_running:
        report("stopping PostgreSQL")
        cluster.stop()


def back_up(project: Project, report: Report) -> None:
    """Take the full backup without which no later point can be reached; where it fails, the agent takes it when it can."""
    try:
        report(f"taken {take(project, 'full').id}")
    except LockNotObtained as err:  # the agent, which has just been started, is quicker
        report(f"no full backup from here: {err.message}; `pgkeel backup list` shows the one that the agent takes")
    except KeelError as err:
        report(f"! no full backup yet: {err.message}; `pgkeel backup full` takes one")


def _stop_side(project: Project, journal: Journal) -> None:
    server = server_in(project, journal.side)
    if server is not None:
        server.stop()
