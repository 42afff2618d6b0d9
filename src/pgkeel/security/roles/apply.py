"""Carry a plan out: all of it in one transaction, each statement that the login may not run told apart and left out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import psycopg

from pgkeel.core.errors import Refused
from pgkeel.postgres import Connection, Query, describe, load
from pgkeel.security.roles.declaration import Declaration
from pgkeel.security.roles.foreign import is_untouchable
from pgkeel.security.roles.plan import plan, plan_roles
from pgkeel.security.roles.state import read_state

__all__ = ["Applied", "LastPath", "NotDone", "RolesMoved", "apply", "ensure_rights", "ensure_roles"]

# the right is missing, or what an earlier statement without the right would have made
_REFUSALS = (psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName, psycopg.errors.UndefinedObject)
# somebody else made or changed the same since the plan was read
_MOVED = (
    psycopg.errors.DuplicateObject,
    psycopg.errors.DuplicateSchema,
    psycopg.errors.UniqueViolation,
    psycopg.errors.InternalError_,
)
_LEFT_UNDONE = {"01006", "01007"}  # privilege not revoked, privilege not granted
_EMBEDDED = Declaration(owns_server=True)


class LastPath(Refused):
    """The plan would lock out the last login that could undo it."""

    code = "last_path"


class RolesMoved(Refused):
    """Somebody else changed roles meanwhile, perhaps from another database of the server."""

    code = "roles_moved"


class NotDone(msgspec.Struct, frozen=True):
    """A statement that the server refused to this login, and what it said."""

    statement: str
    reason: str


class Applied(msgspec.Struct, frozen=True):
    """What was done and what this login could not do."""

    statements: tuple[str, ...]
    not_done: tuple[NotDone, ...] = ()


def apply(connection: Connection, statements: Sequence[Query]) -> Applied:
    """Run a plan's statements in one transaction; nothing or all that this login may do.

    Raises:
        LastPath: Nobody could undo it afterwards; nothing was changed.
        RolesMoved: Somebody else changed the same meanwhile; nothing was changed.
    """
    done, refused = [], []
    with connection.transaction():
        load(__name__, "one_at_a_time").run(connection)
        by_superuser = bool((load(__name__, "session").row(connection) or {})["is_superuser"])
        if by_superuser:  # others may not
            load(__name__, "one_a_server").run(connection)
        before = _undoers(connection, superusers=by_superuser)
        for statement in statements:
            reason = _run(connection, statement)
            if reason is None:
                done.append(statement.plain)
            else:
                refused.append(NotDone(statement.plain, reason))
        if before and not _undoers(connection, superusers=by_superuser):
            raise LastPath(
                f"afterwards {', '.join(before)} could not undo this, nor anybody else; nothing was changed",
                hint="give another login CREATEROLE, or run it as a superuser",
            )
    return Applied(tuple(done), tuple(refused))


def ensure_roles(superuser: Connection, declaration: Declaration = _EMBEDDED) -> None:
    """Make the embedded server's roles and their memberships as declared.

    Args:
        superuser: A connection to any database of the server.
        declaration: Says whether the owner may replicate.
    """
    statements = plan_roles(read_state(superuser, _EMBEDDED), declaration).statements
    if statements:
        apply(superuser, statements)


def ensure_rights(superuser: Connection, declaration: Declaration = _EMBEDDED) -> None:
    """Give the declared rights and default privileges in the connected database; only PUBLIC loses any."""
    statements = plan(read_state(superuser, declaration), declaration, keeps_extra=True).statements
    if statements:
        apply(superuser, statements)


def _run(connection: Connection, statement: Query) -> str | None:
    """Return why the server refused a statement to this login, or None when it ran."""
    try:
        with connection.transaction(), _warned(connection) as warnings:
            statement.run(connection)
    except _REFUSALS as err:
        return describe(err)
    except _MOVED as err:
        message = f"somebody else changed roles or rights meanwhile: {describe(err)}; nothing was changed"
        raise RolesMoved(message, hint="run it again") from None
    return warnings[0] if warnings else None


@contextmanager
def _warned(connection: Connection) -> Iterator[list[str]]:
    """Collect what a GRANT or REVOKE left undone: who holds any right on an object is warned, where another is refused."""
    warnings: list[str] = []

    def hear(said: psycopg.errors.Diagnostic) -> None:
        if said.sqlstate in _LEFT_UNDONE:
            warnings.append(said.message_primary or "no right to grant it")

    connection.add_notice_handler(hear)
    try:
        yield warnings
    finally:
        connection.remove_notice_handler(hear)


def _undoers(connection: Connection, *, superusers: bool) -> list[str]:
    names = [str(row["name"]) for row in load(__name__, "undoers").rows(connection, superusers=superusers)]
    return [name for name in names if not is_untouchable(name)]
