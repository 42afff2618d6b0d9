"""How a plan is asked for: reads are run in a read-only transaction, writes only when asked for, and undone."""

from typing import Literal

import msgspec
from psycopg import sql

from pgkeel.access.errors import ReadOnly
from pgkeel.core.errors import Refused, UsageError
from pgkeel.postgres import load

__all__ = ["Analyze", "NeedsRollback", "Request", "needs_rollback", "request"]

Analyze = Literal[False, True, "rollback"]


class NeedsRollback(ReadOnly, Refused):
    """A write was to be run for its plan, and nobody said that it may be."""


class Request(msgspec.Struct, frozen=True):
    """The statements to send.

    Attributes:
        begin: Opens the transaction.
        explain: Asks for the plan.
        end: Ends the transaction; nothing is ever kept.
    """

    begin: str
    explain: str
    end: str = "ROLLBACK"


def request(statement: str, analyze: Analyze, *, is_generic: bool = False) -> Request:
    """Return how to ask for the plan of a statement.

    Args:
        statement: One statement, as the driver wants it.
        analyze: False plans only; True runs it in a read-only transaction; "rollback" runs it in one that is undone.
        is_generic: Whether its parameters have no values (PostgreSQL 16 and newer).

    Raises:
        UsageError: `analyze` is something else, or a statement without values is to be run.
    """
    if analyze not in {False, True, "rollback"}:
        raise UsageError("analyze is False, True or 'rollback'", hint='analyze="rollback" runs a write and undoes it')
    if is_generic and analyze:
        raise UsageError("a statement without its values cannot be run", hint="leave out analyze, or write the values into it")
    name = "explain_generic" if is_generic else "explain_analyze" if analyze else "explain"
    text = load(__name__, name).named(statement=sql.SQL(statement)).text.partition("\n")[2].replace("%%", "%")
    return Request("BEGIN" if analyze == "rollback" else "BEGIN READ ONLY", text)


def needs_rollback() -> NeedsRollback:
    """Return the error of a write that was to be run for its plan without leave to do so."""
    return NeedsRollback(
        "explain: the statement writes", hint='analyze="rollback" (`--analyze --rollback`) runs it and undoes it'
    )
