"""Functions and triggers that a table brings along, so that `create_all` and every comparison include them.

Their text lies in `sql/NAME.sql`; the migrations hold the same bodies, and a test compares both databases.
"""

from collections.abc import Callable, Iterable
from importlib import resources
from typing import Any

import msgspec
from sqlalchemy import DDL, Connection, Table, event
from sqlalchemy.dialects import postgresql

__all__ = ["Trigger", "Triggers", "after_create", "before_drop", "bring_function", "bring_triggers", "quoted", "sql_text"]

_quote = postgresql.dialect().identifier_preparer.quote  # type: ignore[no-untyped-call] # untyped in SQLAlchemy


class Trigger(msgspec.Struct, frozen=True):
    """A row trigger of a table.

    Attributes:
        name: What it does; the trigger is named `<table>_<name>`, and PostgreSQL fires them in that order.
        function: The function, in `sql/`.
        arguments: Its text arguments.
        when: The condition, "" for always.
        timing: `BEFORE` or `AFTER`.
    """

    name: str
    function: str
    arguments: tuple[str, ...] = ()
    when: str = ""
    timing: str = "BEFORE"

    def text(self, table: Table) -> str:
        """Return the CREATE TRIGGER statement."""
        arguments = ", ".join("'" + argument.replace("'", "''") + "'" for argument in self.arguments)
        return (
            f"CREATE TRIGGER {quoted(f'{table.name}_{self.name}')} {self.timing} UPDATE ON {full_name(table)} FOR EACH ROW"
            f"{f' WHEN ({self.when})' if self.when else ''} EXECUTE FUNCTION {self.function}({arguments})"
        )


Triggers = Callable[[Table], Iterable[Trigger]]
"""What gives a table its triggers; asked when the table is created, when its children are known."""


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    return str(_quote(name))


def full_name(table: Table) -> str:
    """Return a table's name with its schema, quoted."""
    return ".".join(quoted(part) for part in (table.schema, table.name) if part)


def sql_text(name: str) -> str:
    """Return the statement in `sql/NAME.sql`."""
    return resources.files("pgkeel.schema").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def after_create(table: Any, *names: str) -> None:  # noqa: ANN401 - a model's `__table__` is a FromClause to a type checker
    """Run the statements of `sql/NAME.sql` once the table exists."""
    for name in names:
        event.listen(table, "after_create", _literal(sql_text(name)))


def before_drop(table: Any, statement: str) -> None:  # noqa: ANN401 - a model's `__table__` is a FromClause to a type checker
    """Run a statement while the table still exists."""
    event.listen(table, "before_drop", _literal(statement))


def bring_function(table: Table, name: str) -> None:
    """Create a function before the table (a column default calls it), and drop it after the last one that uses it."""
    if _is_new(table, f"function {name}"):
        event.listen(table, "before_create", _literal(sql_text(name)))
        event.listen(table, "after_drop", _literal(_drop_function(name)))


def bring_triggers(table: Table, key: str, triggers: Triggers) -> None:
    """Create triggers and their functions with the table; a second call with the same key does nothing."""
    if not _is_new(table, f"triggers {key}"):
        return

    def create(target: Table, connection: Connection, **_: Any) -> None:  # noqa: ANN401 - what SQLAlchemy passes
        for trigger in triggers(target):
            connection.execute(_literal(sql_text(trigger.function)))
            connection.execute(_literal(trigger.text(target)))

    def drop(target: Table, connection: Connection, **_: Any) -> None:  # noqa: ANN401 - what SQLAlchemy passes
        for trigger in triggers(target):
            connection.execute(_literal(_drop_function(trigger.function)))

    event.listen(table, "after_create", create)
    event.listen(table, "after_drop", drop)


def _is_new(table: Table, key: str) -> bool:
    seen: set[str] = table.info.setdefault("pgkeel.ddl", set())
    if key in seen:
        return False
    seen.add(key)
    return True


def _drop_function(name: str) -> str:
    return (
        f"DO $block$ BEGIN DROP FUNCTION IF EXISTS {quoted(name)}(); "
        "EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $block$"
    )


def _literal(statement: str) -> DDL:
    return DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call] # untyped in SQLAlchemy
