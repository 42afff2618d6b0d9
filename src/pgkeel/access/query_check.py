"""Whether a database would take the statements of `@query` functions: for a test, before somebody calls them.

def test_every_query_fits_the_database(pg_url):
    with connect(Url.parse(pg_url)) as connection:
        assert verify(connection, queries_of("app.queries")) == []
"""

import importlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult
from sqlalchemy.dialects.postgresql import asyncpg

from pgkeel.access.queries import QueryFunction, StreamFunction
from pgkeel.core.errors import UsageError
from pgkeel.postgres import Connection

__all__ = ["Problem", "queries_of", "verify"]

AnyQuery = QueryFunction[..., Any] | StreamFunction[..., Any]


class Problem(msgspec.Struct, frozen=True):
    """A statement that the database does not take as its function says.

    Attributes:
        name: The function.
        said: What is wrong.
    """

    name: str
    said: str


def queries_of(module: str) -> list[AnyQuery]:
    """Return the `@query` functions that a module defines, by its name."""
    found = vars(importlib.import_module(module)).values()
    return [one for one in found if isinstance(one, (QueryFunction, StreamFunction)) and one.__module__ == module]


def verify(connection: Connection, queries: Iterable[AnyQuery]) -> list[Problem]:
    """Return what is wrong with statements: the server parses and plans each, and nothing is run.

    Args:
        connection: A connection to a database with the schema they are written for.
        queries: What `queries_of` returns.
    """
    dialect = asyncpg.dialect()  # type: ignore[no-untyped-call]
    found = []
    for one in queries:
        said = _refusal(connection, one, one.asked.numbered(dialect))
        if said:
            found.append(Problem(one.asked.name, said))
    return found


def _refusal(connection: Connection, one: AnyQuery, text: str) -> str:
    """Return why a statement does not fit, or ""."""
    prepared = connection.pgconn.prepare(b"", text.encode())
    if prepared.status != ExecStatus.COMMAND_OK:
        return _message(prepared)
    names = _columns(connection.pgconn.describe_prepared(b""))
    if one.asked.answer.form == "count":
        return ""
    if not names:
        return "it gives no rows"
    try:
        one.asked.answer.maker(names)
    except UsageError as err:
        return str(err)
    return ""


def _columns(described: PGresult) -> Sequence[str]:
    return [(described.fname(place) or b"").decode() for place in range(described.nfields)]


def _message(result: PGresult) -> str:
    return (result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode()
