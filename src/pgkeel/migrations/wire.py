"""Send several statements as one message, and learn which one the server refused and where.

One message of the simple-query protocol is what makes a unit and its ledger row inseparable: the server has all of it or
nothing, whatever happens to this process (PostgreSQL manual, 55.2.2.1).
"""

import selectors
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta

import psycopg
from psycopg import pq
from psycopg.errors import error_from_result

from pgkeel.migrations.errors import MigrationFailed
from pgkeel.postgres import Connection

__all__ = ["StatementRefused", "parsed", "send"]

_FAILED = {pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE, pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT}
_TICK = timedelta(milliseconds=20)


class StatementRefused(Exception):
    """The server refused one statement of a message; a transaction that the message opened is still open and aborted.

    Attributes:
        index: How many statements before it succeeded.
        position: Offset in the message that the error points at, or None.
        cause: The driver's error.
    """

    def __init__(self, index: int, position: int | None, cause: psycopg.Error) -> None:
        """Keep where and what."""
        super().__init__(str(cause))
        self.index = index
        self.position = position
        self.cause = cause


def send(
    connection: Connection,
    message: str,
    on_wait: Callable[[], None] | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> None:
    """Run a message to its end.

    Args:
        connection: Where.
        message: What.
        on_wait: Called again and again while the server works for long.
        meanwhile: Called once when the server has begun; it asks this connection nothing.

    Raises:
        StatementRefused: A statement failed; those after it did not run.
        psycopg.OperationalError: The connection was lost: whether the message ran is not known.
    """
    connection.pgconn.send_query(message.encode())
    try:
        results = _collect(connection, on_wait, meanwhile)
    except psycopg.Error:
        raise
    except BaseException:
        connection.cancel_safe()
        _collect(connection)
        connection.rollback()
        raise
    for index, result in enumerate(results):
        if result.status in _FAILED:
            raise _refusal(index, result)


def _collect(
    connection: Connection, on_wait: Callable[[], None] | None = None, meanwhile: Callable[[], None] | None = None
) -> list[pq.abc.PGresult]:
    results: list[pq.abc.PGresult] = []
    with selectors.DefaultSelector() as selector:
        _flush(selector, connection)
        if meanwhile is not None:
            meanwhile()
        while (result := _next(selector, connection, on_wait)) is not None:
            results.append(result)
            _refuse_copy(connection, result)
        return results


def parsed(connection: Connection, texts: Sequence[str]) -> list[pq.abc.PGresult]:
    """Return what the server says to parsing each text; nothing is run.

    The texts travel together, each with a Sync of its own, so that one that is refused does not silence the next.

    Raises:
        psycopg.OperationalError: The connection was lost.
    """
    server = connection.pgconn
    server.enter_pipeline_mode()
    try:
        for text in texts:
            server.send_prepare(b"", text.encode())
            server.pipeline_sync()
        with selectors.DefaultSelector() as selector:
            _flush(selector, connection)
            return [_up_to_sync(selector, connection) for _ in texts]
    finally:
        with suppress(psycopg.OperationalError):  # lost, or interrupted with answers on their way: nobody uses it any more
            server.exit_pipeline_mode()


def _up_to_sync(selector: selectors.BaseSelector, connection: Connection) -> pq.abc.PGresult:
    results: list[pq.abc.PGresult] = []
    while not results or results[-1].status != pq.ExecStatus.PIPELINE_SYNC:
        result = _next(selector, connection, None)
        if result is not None:
            results.append(result)
        elif connection.pgconn.status != pq.ConnStatus.OK:  # elsewhere None stands between a text and its Sync
            raise psycopg.OperationalError(connection.pgconn.get_error_message())
    return results[0]


def _flush(selector: selectors.BaseSelector, connection: Connection) -> None:
    while connection.pgconn.flush():
        _wait(selector, connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        connection.pgconn.consume_input()


def _next(selector: selectors.BaseSelector, connection: Connection, on_wait: Callable[[], None] | None) -> pq.abc.PGresult | None:
    while connection.pgconn.is_busy():
        if _wait(selector, connection, selectors.EVENT_READ):
            connection.pgconn.consume_input()
        elif on_wait is not None:
            on_wait()
    return connection.pgconn.get_result()


def _wait(selector: selectors.BaseSelector, connection: Connection, events: int) -> bool:
    socket = connection.pgconn.socket
    key = selector.get_map().get(socket)
    if key is None:
        selector.register(socket, events)
    elif key.events != events:
        selector.modify(socket, events)
    return bool(selector.select(_TICK.total_seconds()))


def _refuse_copy(connection: Connection, result: pq.abc.PGresult) -> None:
    if result.status == pq.ExecStatus.COPY_IN:
        connection.pgconn.put_copy_end(b"a migration cannot read from the client")
    elif result.status == pq.ExecStatus.COPY_OUT:  # its rows would have nowhere to go; nothing but closing ends it
        connection.close()
        raise MigrationFailed("COPY … TO STDOUT cannot run in a migration", hint="remove it")


def _refusal(index: int, result: pq.abc.PGresult) -> StatementRefused:
    cause = error_from_result(result, encoding="utf-8")
    position = cause.diag.statement_position
    return StatementRefused(index, int(position) - 1 if position else None, cause)
