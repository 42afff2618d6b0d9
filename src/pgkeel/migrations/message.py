"""Put a unit together with the ledger's SQL into one message, and find the way back from an error to the user's file."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec

from pgkeel.migrations.options import Options
from pgkeel.migrations.statement import Statement
from pgkeel.postgres import Connection, Server, identifier

__all__ = ["Message", "as_role", "compose", "settings"]


class _Part(msgspec.Struct, frozen=True):
    text: str
    statement: Statement | None
    start: int


class Message:
    """SQL texts in a row, each one statement; those of the file are remembered with their place in it."""

    def __init__(self) -> None:
        """Begin empty."""
        self._parts: list[_Part] = []
        self._length = 0

    def add(self, text: str, statement: Statement | None = None) -> None:
        """Append one statement."""
        self._parts.append(_Part(text, statement, self._length))
        self._length += len(text) + 2

    @property
    def text(self) -> str:
        """What is sent."""
        return "".join(f"{part.text};\n" for part in self._parts)

    def offset_in_file(self, index: int, position: int | None) -> int | None:
        """Return where in the file's text an error stands.

        Args:
            index: How many statements of the message succeeded.
            position: The server's own pointer into the message.

        Returns:
            An offset; None when it stands in none of the file's statements (a deferred constraint fails at COMMIT).
        """
        if position is not None:
            for part in self._parts:
                if part.statement is not None and part.start <= position <= part.start + len(part.text):
                    return part.statement.offset + position - part.start
        failed = self._parts[index] if index < len(self._parts) else None
        return failed.statement.offset if failed is not None and failed.statement is not None else None


def compose(before: Iterable[str], statements: Sequence[Statement], after: Iterable[str]) -> Message:
    """Return the message of a unit: our statements, the file's, ours again."""
    message = Message()
    for text in before:
        message.add(text)
    for statement in statements:
        message.add(statement.text, statement)
    for text in after:
        message.add(text)
    return message


def settings(
    connection: Connection, server: Server, role: str, options: Options, *, lock: timedelta, statement: timedelta, local: bool
) -> list[str]:
    """Return the SQL that makes a session the same for every unit, whatever an earlier one left behind.

    Args:
        connection: Whose quoting is used.
        server: What settings exist.
        role: Who the session acts as; `none` for the login itself.
        options: Where the search path comes from.
        lock: `lock_timeout`; zero waits for ever.
        statement: `statement_timeout`; zero allows any length.
        local: Whether they end with the transaction.
    """
    path = ", ".join(identifier(schema).as_string(connection) for schema in options.search_path)
    names = {
        "search_path": path,
        "timezone": "'UTC'",
        "standard_conforming_strings": "on",
        "lock_timeout": str(_milliseconds(lock)),
        "statement_timeout": str(_milliseconds(statement)),
        "idle_in_transaction_session_timeout": "0",
    }
    if server.has_transaction_timeout:
        names["transaction_timeout"] = "0"
    scope = "SET LOCAL" if local else "SET"
    return ["RESET ALL", as_role(connection, role), *(f"{scope} {name} = {value}" for name, value in names.items())]


def as_role(connection: Connection, role: str, *, local: bool = False) -> str:
    """Return the SQL that makes the session act as a role again."""
    name = "NONE" if role == "none" else identifier(role).as_string(connection)
    return f"SET {'LOCAL ' if local else ''}ROLE {name}"


def _milliseconds(value: timedelta) -> int:
    """Never turn a short wait into 0, which means for ever."""
    whole = round(value / timedelta(milliseconds=1))
    return max(1, whole) if value else 0
