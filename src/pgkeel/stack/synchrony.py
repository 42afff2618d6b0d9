"""Whether commits wait for the WAL receiver (`rpo = "zero"`): set when it streams, lifted by `up`, `down` and by hand."""

from pgkeel.backup.receiving import APPLICATION
from pgkeel.backup.synchrony import compose, lift, names_of, streams, wait_for
from pgkeel.core.config import ZERO
from pgkeel.core.errors import Unreachable
from pgkeel.core.project import Project
from pgkeel.postgres import Connection
from pgkeel.stack.connection import connect

__all__ = ["WISH", "is_stuck", "is_zero", "lift_if_reachable", "make_commits_wait", "release"]

WISH = {"backup": (APPLICATION,)}


def is_zero(project: Project) -> bool:
    """Return whether nothing may be lost: then a commit waits until the receiver has it on disk."""
    return project.config.backup.rpo == ZERO


def make_commits_wait(project: Project) -> bool:
    """Make commits wait for the receiver once it streams, and return whether they do."""
    with _superuser(project) as connection:
        if not streams(connection):
            return False
        wait_for(connection, WISH)
        return True


def release(project: Project, *, dry_run: bool = False) -> bool:
    """Let commits wait for nobody, and return whether they did.

    Raises:
        Unreachable: The server does not answer.
    """
    with _superuser(project) as connection:
        return names_of(connection) == compose(WISH) if dry_run else lift(connection)


def is_stuck(project: Project) -> bool:
    """Return whether commits wait for the receiver while it does not stream; no where the server does not answer."""
    try:
        with _superuser(project) as connection:
            return names_of(connection) == compose(WISH) and not streams(connection)
    except Unreachable:
        return False


def lift_if_reachable(project: Project) -> None:
    """Let commits wait for nobody, where the server runs."""
    try:
        release(project)
    except Unreachable:
        return


def _superuser(project: Project) -> Connection:
    return connect(project, "superuser", application="pgkeel backup")
