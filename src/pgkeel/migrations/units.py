"""Group statements into units, the steps that leave the database and the ledger either both done or both untouched.

`BEGIN … COMMIT` is one unit; consecutive bare statements are one; a statement that PostgreSQL runs only outside a transaction
is one of its own. The file's own BEGIN and COMMIT are delimiters: the runner sends them with the ledger's row in between.
"""

from collections.abc import Callable, Iterable

import msgspec

from pgkeel.migrations.errors import BadMigration
from pgkeel.migrations.statement import Statement

__all__ = ["Unit", "cannot_run_in_transaction", "group", "is_concurrent"]

Refuse = Callable[[Statement, str, str], BadMigration]

_ALONE = ("VACUUM", "CREATE DATABASE", "DROP DATABASE", "CREATE TABLESPACE", "DROP TABLESPACE", "ALTER SYSTEM")
# in a transaction these work for some objects only; bare, they stand alone, which works for all
_BETTER_ALONE = ("REINDEX", "CLUSTER", "CREATE SUBSCRIPTION", "DROP SUBSCRIPTION", "ALTER SUBSCRIPTION", "ALTER DATABASE")
_WHOLE_REINDEX = ("REINDEX SCHEMA", "REINDEX DATABASE", "REINDEX SYSTEM")
_OPEN = ("BEGIN", "START TRANSACTION")
_CLOSE = ("COMMIT", "END")
_FORBIDDEN = {
    "ROLLBACK": ("ROLLBACK undoes the ledger's record too", "remove it: an error rolls the unit back by itself"),
    "ABORT": ("ABORT undoes the ledger's record too", "remove it: an error rolls the unit back by itself"),
    "PREPARE TRANSACTION": ("a prepared transaction outlives the run", "write COMMIT"),
    "COMMIT PREPARED": ("a prepared transaction outlives the run", "write COMMIT"),
    "DISCARD": ("DISCARD gives the runner's lock away", "remove it; use RESET for a setting"),
}


class Unit(msgspec.Struct, frozen=True):
    """A step of a migration.

    Attributes:
        is_atomic: Whether it runs in a transaction together with the ledger's row; otherwise it is one statement alone.
        statements: In order, without the BEGIN and COMMIT around them.
        begin: How its transaction opens, with the modes that the file asks for.
        settings: The bare `SET` statements before it, which hold for it and are repeated when a run resumes.
    """

    is_atomic: bool
    statements: tuple[Statement, ...]
    begin: str = "BEGIN"
    settings: tuple[Statement, ...] = ()

    @property
    def sql(self) -> str:
        """Its text for a person."""
        body = "".join(f"{statement.text};\n" for statement in (*self.settings, *self.statements))
        return f"{self.begin};\n{body}COMMIT;" if self.is_atomic else body.rstrip()


def cannot_run_in_transaction(statement: Statement) -> bool:
    """Return whether PostgreSQL refuses the statement inside a transaction block (manual, each command's page)."""
    words = statement.words
    if statement.starts_with("CREATE INDEX", "CREATE UNIQUE INDEX", "DROP INDEX", "REINDEX", "ALTER TABLE"):
        return is_concurrent(statement) or statement.starts_with(*_WHOLE_REINDEX)
    return statement.starts_with(*_ALONE) or words in {("CLUSTER",), ("CLUSTER", "VERBOSE")}


def is_concurrent(statement: Statement) -> bool:
    """Return whether the statement works beside writers and must wait for old snapshots without a time limit."""
    words = statement.words
    if statement.starts_with("ALTER TABLE"):
        return words[-1] == "CONCURRENTLY" and "DETACH" in words
    return "CONCURRENTLY" in words[:5]


def group(statements: Iterable[Statement], *, alone: bool, refuse: Refuse) -> tuple[Unit, ...]:
    """Return the units of a section.

    Args:
        statements: The section's statements.
        alone: Whether bare statements run one by one without a transaction (`transaction=none`).
        refuse: Makes the error for a statement: (statement, message, hint).

    Raises:
        BadMigration: A statement cannot be run where it stands.
    """
    grouping = _Grouping(alone=alone, refuse=refuse)
    for statement in statements:
        grouping.add(statement)
    return grouping.finish()


class _Grouping:
    """The units so far, and the one that is open."""

    def __init__(self, *, alone: bool, refuse: Refuse) -> None:
        self._alone = alone
        self._refuse = refuse
        self._units: list[Unit] = []
        self._open: list[Statement] = []
        self._begin: Statement | None = None
        self._settings: tuple[Statement, ...] = ()

    def add(self, statement: Statement) -> None:
        self._require_allowed(statement)
        if statement.starts_with(*_OPEN):
            self._enter(statement)
        elif statement.starts_with(*_CLOSE):
            self._leave(statement)
        elif self._begin is not None:
            self._add_inside(statement)
        else:
            self._add_bare(statement)

    def finish(self) -> tuple[Unit, ...]:
        if self._begin is not None:
            raise self._refuse(self._begin, "BEGIN without COMMIT", "write COMMIT; at the end of the block")
        self._close()
        return tuple(self._units)

    def _enter(self, statement: Statement) -> None:
        if self._begin is not None:
            raise self._refuse(statement, "BEGIN inside BEGIN", "write COMMIT; before it: PostgreSQL does not nest transactions")
        if "READ ONLY" in " ".join(statement.words):
            raise self._refuse(statement, "a read-only transaction cannot hold the ledger's row", "write BEGIN;")
        self._close()
        self._begin = statement

    def _leave(self, statement: Statement) -> None:
        if self._begin is None:
            raise self._refuse(statement, "COMMIT without BEGIN", "remove it, or write BEGIN; where the block starts")
        self._units.append(Unit(True, tuple(self._open), self._begin.text, self._settings))
        self._open, self._begin = [], None

    def _add_inside(self, statement: Statement) -> None:
        if cannot_run_in_transaction(statement):
            name = " ".join(statement.words[:3])
            raise self._refuse(statement, f"{name} cannot run inside BEGIN … COMMIT", "move it outside of the block")
        self._open.append(statement)

    def _add_bare(self, statement: Statement) -> None:
        if _is_setting(statement):
            self._close()
            self._settings += (statement,)
        elif self._alone or cannot_run_in_transaction(statement) or statement.starts_with(*_BETTER_ALONE):
            self._close()
            self._units.append(Unit(False, (statement,), settings=self._settings))
        else:
            self._open.append(statement)

    def _close(self) -> None:
        if self._open:
            self._units.append(Unit(True, tuple(self._open), settings=self._settings))
            self._open = []

    def _require_allowed(self, statement: Statement) -> None:
        words = statement.words
        if statement.starts_with(*_FORBIDDEN):
            phrase = next(phrase for phrase in _FORBIDDEN if statement.starts_with(phrase))
            raise self._refuse(statement, *_FORBIDDEN[phrase])
        if statement.starts_with(*_CLOSE) and words[-2:] == ("AND", "CHAIN"):
            raise self._refuse(statement, "AND CHAIN opens a transaction that the ledger cannot see", "write COMMIT; and BEGIN;")
        if words[:1] == ("COPY",) and ("STDIN" in words or "STDOUT" in words):
            raise self._refuse(statement, "COPY cannot read from or write to the client here", "write INSERT … VALUES")
        if _is_concurrent_index(statement) and _has_no_name(statement):
            hint = "write CREATE INDEX CONCURRENTLY name ON …"
            raise self._refuse(statement, "the index has no name, so a stopped build could not be found again", hint)


def _is_setting(statement: Statement) -> bool:
    return statement.starts_with("SET") and statement.words[1:2] not in {("LOCAL",), ("TRANSACTION",), ("CONSTRAINTS",)}


def _is_concurrent_index(statement: Statement) -> bool:
    return statement.starts_with("CREATE INDEX", "CREATE UNIQUE INDEX") and is_concurrent(statement)


def _has_no_name(statement: Statement) -> bool:
    texts = [token.text.upper() for token in statement.tokens[:6]]
    return texts[texts.index("CONCURRENTLY") + 1] == "ON"
