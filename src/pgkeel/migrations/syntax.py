"""Let the server read every statement before the first one runs, so that a slip in the last file stops the first.

`Parse` of a utility statement runs the grammar and nothing else; `PREPARE … AS` around the others makes them one. So no table
has to exist, no lock is taken, and a statement that is right leaves no line in the server's log.
"""

from collections.abc import Sequence

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from pgkeel.migrations.patience import lost
from pgkeel.migrations.plan import Task
from pgkeel.migrations.position import refuse
from pgkeel.migrations.statement import Statement
from pgkeel.migrations.wire import parsed
from pgkeel.postgres import Connection, describe

__all__ = ["require_syntax"]

_PREPARE = "PREPARE pgkeel AS "
_PREPARABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "WITH", "TABLE")
_AT_ONCE = 100  # messages that wait for their answers
# these are analysed while they are parsed, and would ask for tables that are not there yet
_ANALYSED = ("CALL", "EXPLAIN", "DECLARE", "CREATE MATERIALIZED VIEW")


def require_syntax(connection: Connection, tasks: Sequence[Task]) -> None:
    """Check the statements of all tasks.

    Raises:
        BadMigration: The server's grammar refuses one; nothing was run.
    """
    asked = [
        (task, statement)
        for task in tasks
        for unit in task.units[task.first :]
        for statement in (*unit.settings, *unit.statements)
        if not _is_analysed(statement)
    ]
    for first in range(0, len(asked), _AT_ONCE):
        some = asked[first : first + _AT_ONCE]
        texts = [f"{_prefix(statement)}{statement.text}" for _, statement in some]
        try:
            results = parsed(connection, texts)
        except psycopg.OperationalError as err:
            raise lost(err) from err
        for (task, statement), result in zip(some, results, strict=True):
            _require_readable(task, statement, result)


def _prefix(statement: Statement) -> str:
    return _PREPARE if statement.starts_with(*_PREPARABLE) or statement.text.startswith("(") else ""


def _require_readable(task: Task, statement: Statement, result: pq.abc.PGresult) -> None:
    if result.status != pq.ExecStatus.FATAL_ERROR:
        return
    prefix = _prefix(statement)
    error = error_from_result(result, encoding="utf-8")
    if error.diag.source_function != "scanner_yyerror":
        return  # not the grammar: it may well be fine when its turn comes
    position = int(error.diag.statement_position or 1) - 1 - len(prefix)
    offset = statement.offset + max(0, position)
    raise refuse(task.where, task.section.text, offset, describe(error), hint="correct it; nothing was run")


def _is_analysed(statement: Statement) -> bool:
    words = statement.words
    return statement.starts_with(*_ANALYSED) or (words[:1] == ("CREATE",) and "TABLE" in words[1:4] and "AS" in words)
