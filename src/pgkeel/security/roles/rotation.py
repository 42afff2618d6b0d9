"""New passwords without downtime: the idle half of a pair gets one, services are told, and the old half's password ends later.

Nothing is remembered but the password file and the end of each password on the server, so a rotation that was killed is finished
by the next one: the file names the login in use first and the one before it second.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, Protocol

import msgspec
import psycopg
from psycopg import sql

from pgkeel.core.errors import NotFound, UsageError
from pgkeel.core.secret import Secret
from pgkeel.postgres import Connection, identifier, load
from pgkeel.security.names import LOGINS

__all__ = ["PAIRS", "Half", "PasswordFile", "Turn", "plan_turn", "read_halves", "settle", "turn"]

PAIRS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {word: (f"pgkeel_{word}_a", f"pgkeel_{word}_b") for word in ("app", "readonly")}
)
"""Word → the two logins of which one is in use."""

Step = Literal["switch", "finish", "wait", "in_place"]


class PasswordFile(Protocol):
    """Where services read the password: the login in use first, then the one before it."""

    def read(self) -> Sequence[tuple[str, Secret]]:
        """Return logins and passwords; none where there is no file."""
        ...

    def write(self, entries: Sequence[tuple[str, Secret]]) -> None:
        """Replace all of it at once."""
        ...


class Half(msgspec.Struct, frozen=True):
    """A login as the server has it.

    Attributes:
        login: Its name.
        valid_until: When its password ends; None is never.
        sessions: How many are in by it.
        now: The server's time.
    """

    login: str
    valid_until: datetime | None
    sessions: int
    now: datetime


class Turn(msgspec.Struct, frozen=True):
    """What a rotation does to one role.

    Attributes:
        role: `app`, `readonly`, `owner`, `monitor` or `backup`.
        step: `switch` to the idle half, `finish` what was killed, `wait` because the last one's grace runs, or `in_place`.
        login: In use afterwards.
        previous: The login that was in use before, of a pair.
        valid_until: When its password ends.
        sessions: How many were in by it.
    """

    role: str
    step: Step
    login: str
    previous: str | None = None
    valid_until: datetime | None = None
    sessions: int = 0


def read_halves(connection: Connection, word: str) -> dict[str, Half]:
    """Return the logins of a role.

    Raises:
        NotFound: The server does not have them.
    """
    logins = PAIRS.get(word, (LOGINS[word],))
    found = {row["login"]: msgspec.convert(row, Half) for row in load(__name__, "halves").rows(connection, logins=list(logins))}
    missing = [login for login in logins if login not in found]
    if missing:
        raise NotFound(f"the server has no login {missing[0]}", hint="`pgkeel security roles apply` makes it")
    return found


def plan_turn(word: str, known: Sequence[str], halves: Mapping[str, Half], *, grace: timedelta, is_urgent: bool = False) -> Turn:
    """Return what a rotation does to a role.

    Args:
        word: `app`, `readonly`, `owner`, `monitor` or `backup`.
        known: The logins of its password file, the one in use first.
        halves: As `read_halves` found them.
        grace: How long the old password still opens.
        is_urgent: Whether the grace of the last rotation is cut short.

    Raises:
        UsageError: The password file is not this role's.
    """
    if word not in PAIRS:
        return Turn(word, "in_place", LOGINS[word])
    used = known[0] if known else PAIRS[word][0]
    if used not in halves:
        raise UsageError(f"the password file names {used}, which is no login of {word}", hint=f"one of {', '.join(halves)}")
    (idle,) = (half for login, half in halves.items() if login != used)
    end = idle.now + grace
    if idle.login in known and idle.valid_until is None:
        return Turn(word, "finish", used, idle.login, end, idle.sessions)
    if idle.valid_until is not None and idle.valid_until > idle.now and not is_urgent:
        return Turn(word, "wait", used, idle.login, idle.valid_until, idle.sessions)
    return Turn(word, "switch", idle.login, used, end, halves[used].sessions)


def turn(connection: Connection, planned: Turn, file: PasswordFile) -> None:
    """Carry it out: the new password works before anybody is told, and the old one ends after everybody could be.

    Args:
        connection: As a superuser, or as who made the logins; in autocommit, and silent afterwards.
        planned: By `plan_turn`.
        file: The role's.
    """
    with suppress(psycopg.errors.InsufficientPrivilege):  # where we may not be silent, the log gets a hash of 256 random bits
        load(__name__, "quiet_session").run(connection)
    match planned.step:
        case "switch":
            entry = (planned.login, Secret.generate())
            _set_password(connection, *entry)
            file.write([entry, *(known for known in file.read() if known[0] != planned.login)])
            _end(connection, planned)
        case "in_place":
            with connection.transaction():  # whoever is killed in here leaves the old password, or a file that `up` obeys
                entry = (planned.login, Secret.generate())
                _set_password(connection, *entry)
                file.write([entry])
        case "finish":
            _end(connection, planned)
        case "wait":
            pass


def settle(connection: Connection, word: str, known: Sequence[str], *, grace: timedelta) -> None:
    """Let the login in use be good for ever, and the one before it not: after a kill, or after a recovery to an older day."""
    halves = read_halves(connection, word)
    planned = plan_turn(word, known, halves, grace=grace)
    if known and word in PAIRS and halves[known[0]].valid_until is not None:
        _valid_until(connection, known[0], "infinity")
    if planned.step == "finish":
        _end(connection, planned)


def _set_password(connection: Connection, login: str, password: Secret) -> None:
    """Give a login a password, hashed before it leaves this process, that does not end."""
    load(__name__, "scram_session").run(connection)
    connection.pgconn.change_password(login.encode(), password.reveal().encode())
    _valid_until(connection, login, "infinity")


def _end(connection: Connection, planned: Turn) -> None:
    if planned.previous is not None and planned.valid_until is not None:
        _valid_until(connection, planned.previous, planned.valid_until.isoformat())


def _valid_until(connection: Connection, login: str, moment: str) -> None:
    load(__name__, "valid_until").named(role=identifier(login), moment=sql.Literal(moment)).run(connection)
