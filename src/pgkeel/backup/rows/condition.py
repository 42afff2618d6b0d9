"""The condition that somebody typed: read by the server before anything is restored, and blamed where it is wrong."""

import psycopg

from pgkeel.backup.rows.shape import Table, words
from pgkeel.core.errors import UsageError
from pgkeel.postgres import Connection, describe, load

__all__ = ["require_condition", "require_which", "wrong_condition"]


def require_condition(live: Connection, table: Table, where: str) -> None:
    """Prove that a condition is one, and nothing behind it; it may name columns that went since, so only its form is judged.

    The server is asked to prepare it: it prepares one statement, and would run several.

    Raises:
        UsageError: The server cannot read it.
    """
    try:
        live.execute(load(__name__, "try_condition").named(table=table.quoted, where=words(where)).statement, {}, prepare=True)
    except psycopg.errors.SyntaxError as err:
        raise wrong_condition(where, err) from err
    except psycopg.Error:
        return


def require_which(where: str, *, changed: bool) -> None:
    """Prove that rows which live are set back only where somebody says which.

    Raises:
        UsageError: Nobody does.
    """
    if changed and where == "true":
        raise UsageError("setting rows back needs to know which", hint="add --where, for example --where \"status = 'draft'\"")


def wrong_condition(where: str, error: psycopg.Error) -> UsageError:
    """Return the error that says what is wrong with a condition."""
    hint = "write what would stand behind WHERE, over the columns as they were: --where \"status = 'draft'\""
    return UsageError(f"--where {where!r}: {describe(error)}", hint=hint)
