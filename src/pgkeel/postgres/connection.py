"""Open connections for operations: autocommit, UTC, a short wait, and errors that say where and never who with what password."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from pgkeel.core.errors import ConfigError, Unreachable, UsageError
from pgkeel.core.url import Url

__all__ = ["Connection", "Row", "connect", "describe", "identifier"]

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


def connect(
    url: Url,
    *,
    application: str = "pgkeel",
    timeout: timedelta = timedelta(seconds=5),
    settings: Mapping[str, str] | None = None,
) -> Connection:
    """Return a connection in autocommit whose rows are dictionaries.

    Args:
        url: Where to; its password is never repeated in an error.
        application: `application_name`, so that a DBA sees who holds a lock.
        timeout: How long to wait for the server, in whole seconds of at least 2 (libpq's floor).
        settings: Session settings beside `timezone = UTC`.

    Raises:
        Unreachable: The server does not answer or refuses the login.
        ConfigError: The address has an option that libpq does not know.
    """
    given = {"timezone": "UTC", "client_encoding": "UTF8", **(settings or {})}
    options = " ".join(f"-c {name}={value.replace(' ', chr(92) + ' ')}" for name, value in given.items())
    keywords = url.keywords() | {
        "application_name": application,
        "connect_timeout": str(max(2, int(timeout.total_seconds()))),
        "options": f"{url.options.get('options', '')} {options}".strip(),
    }
    try:
        return psycopg.connect(autocommit=True, row_factory=dict_row, **keywords)  # type: ignore[arg-type]
    except psycopg.OperationalError as err:
        raise Unreachable(f"cannot connect to {url}: {describe(err)}", hint="`pgkeel status` shows what is running") from None
    except psycopg.ProgrammingError as err:  # libpq knows an option not, or not its value
        raise ConfigError(
            f"the database address is no address: {describe(err)}", hint="leave the option out, or correct it"
        ) from None


def describe(error: psycopg.Error) -> str:
    """Return what the server said, without DETAIL (which carries whole rows) and without the statement."""
    primary = error.diag.message_primary
    return primary or str(error).strip().splitlines()[-1].strip()


def identifier(*parts: str) -> sql.Identifier:
    """Return a quoted name, schema first: the only way a name enters a statement.

    Raises:
        UsageError: It holds NUL or half of a character.
    """
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for part in parts for letter in part):
        raise UsageError("a name of the database holds NUL or half of a character", hint="leave it out")
    return sql.Identifier(*parts)
