"""Rotate the passwords of a project's logins, and tell its services through the password files."""

from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from pgkeel.core.errors import UsageError
from pgkeel.core.project import Project
from pgkeel.core.telling import Report
from pgkeel.postgres import Connection
from pgkeel.security.roles.rotation import PAIRS, Turn, plan_turn, read_halves, settle, turn
from pgkeel.stack.connection import connect
from pgkeel.stack.folders import explained
from pgkeel.stack.layout import Layout, layout_of
from pgkeel.stack.lock import exclusive
from pgkeel.stack.password import Passfile, read_password

__all__ = ["ROTATED", "rotate_passwords", "settle_passwords"]

ROTATED = ("app", "readonly", "owner", "monitor", "backup")
GRACE = timedelta(hours=1)


def rotate_passwords(
    project: Project,
    words: Sequence[str],
    *,
    passfile: Path | None = None,
    grace: timedelta = GRACE,
    is_urgent: bool = False,
    dry_run: bool = False,
    report: Report,
) -> tuple[Turn, ...]:
    """Give roles new passwords, and return what was done to each.

    Args:
        project: Whose.
        words: `app`, `readonly`, `owner`, `monitor`, `backup`; none is all of them.
        passfile: The password file of the one role, where the database is external.
        grace: How long the old password of a pair still opens.
        is_urgent: Whether the grace of the last rotation is cut short.
        dry_run: Whether to plan only.
        report: Hears that it waits for another command.

    Raises:
        UsageError: An external database, and not one role with its password file.
        ConfigError: That file does not name the login in use.
        NotFound: The server does not have a login.
        Unreachable: The database cannot be reached.
    """
    layout, files = layout_of(project), _files(project, words, passfile)
    with explained(layout.state), exclusive(layout, report), closing(_superuser(project)) as superuser:
        planned = tuple(
            plan_turn(word, file.logins, read_halves(superuser, word), grace=grace, is_urgent=is_urgent)
            for word, file in files.items()
        )
        for each in planned if not dry_run else ():
            turn(superuser, each, files[each.role])
    return planned


def settle_passwords(superuser: Connection, layout: Layout) -> None:
    """Finish a rotation that was killed, or one that the server forgot because it was recovered to an older day."""
    for word in PAIRS:
        settle(superuser, word, Passfile(layout.password_file(word)).logins, grace=GRACE)


def _files(project: Project, words: Sequence[str], passfile: Path | None) -> dict[str, Passfile]:
    if passfile is not None and len(words) == 1:
        read_password(passfile)
        return {words[0]: Passfile(passfile)}
    if passfile is not None or project.is_external:
        raise UsageError(
            "a password file belongs to one role, and pgkeel keeps none of an external database",
            hint="`pgkeel security roles rotate app --passfile /run/secrets/app.pgpass`",
        )
    return {word: Passfile(layout_of(project).password_file(word)) for word in words or ROTATED}


def _superuser(project: Project) -> Connection:
    return connect(project, "superuser", application="pgkeel security roles rotate")
