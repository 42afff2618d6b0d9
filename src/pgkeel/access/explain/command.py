"""Plans of statements that a person typed, over a connection of the operations."""

from contextlib import suppress

import psycopg

from pgkeel.access._drivers import psycopg_common
from pgkeel.access._drivers.diagnosis import Diagnosis, error_of
from pgkeel.access.errors import ReadOnly
from pgkeel.access.explain.plan import Explained, read_plan
from pgkeel.access.explain.request import Analyze, Request, needs_rollback, request
from pgkeel.core.errors import KeelError, NotFound, UsageError
from pgkeel.postgres import Connection, identifier, load, server_of

__all__ = ["explain", "explain_stat", "single_statement"]

_NO_VALUES = "08P01"  # the server's word for `$1` without a value


def single_statement(text: str) -> str:
    """Return one statement without its end.

    Raises:
        UsageError: There is none, or it is one of the transaction's own.
    """
    statement = text.strip().rstrip(";").strip()
    if not statement:
        raise UsageError("there is no statement to explain", hint="pgkeel explain 'SELECT …'")
    return statement


def explain(connection: Connection, statement: str, *, analyze: Analyze = False) -> Explained:
    """Return the plan of a statement; nothing that it does is kept.

    Args:
        connection: In autocommit.
        statement: One statement with its values in it.
        analyze: As of `request`.

    Raises:
        ReadOnly: It writes, and may not be run.
        AccessError: The server refused it.
    """
    return _ask(connection, request(single_statement(statement), analyze))


def explain_stat(connection: Connection, queryid: int) -> Explained:
    """Return the plan of a statement that pg_stat_statements has seen, whatever its values.

    Raises:
        NotFound: There is no such statement, or no pg_stat_statements.
        UsageError: The server is older than 16 and plans nothing without values.
    """
    schema = load(__name__, "stat_schema").scalar(connection)
    if schema is None:
        raise NotFound("pg_stat_statements is not installed in this database", hint="CREATE EXTENSION pg_stat_statements")
    text = load(__name__, "stat").named(schema=identifier(schema)).scalar(connection, queryid=queryid)
    if text is None:
        raise NotFound(f"pg_stat_statements knows no statement {queryid}", hint="SELECT queryid, query FROM pg_stat_statements")
    if "$1" in text and server_of(connection).major < 16:
        raise UsageError("PostgreSQL 15 plans no statement without its values", hint="pgkeel explain 'SELECT … with values'")
    is_generic = "$1" in text
    return _ask(connection, request(single_statement(text), False, is_generic=is_generic), has_values=not is_generic)


def _failure(diagnosis: Diagnosis) -> KeelError:
    if diagnosis.sqlstate == _NO_VALUES and not diagnosis.is_lost:
        return UsageError("the statement waits for values", hint="write them into it, or name what the server has seen: --stat")
    return error_of(diagnosis, "explain")


def _ask(connection: Connection, asked: Request, *, has_values: bool = True) -> Explained:
    """Return what the server answers; a text whose values are not there goes by the simple protocol, which binds none."""
    try:
        connection.execute(asked.begin.encode())
        cursor = psycopg.RawCursor(connection)
        answer = cursor.execute(asked.explain.encode(), binary=has_values).fetchone()  # binary: one statement only
    except psycopg.Error as err:
        failure = _failure(psycopg_common.diagnose(err))
    else:
        return read_plan(answer["QUERY PLAN"] if isinstance(answer, dict) else answer)
    finally:
        with suppress(psycopg.Error):
            connection.execute(asked.end.encode())
    raise needs_rollback() if isinstance(failure, ReadOnly) else failure
