"""Refuse to take over a table that is there already: it may look like ours and be somebody else's."""

from collections.abc import Iterator, Mapping, Sequence

from pgkeel.migrations.errors import NotOwned
from pgkeel.migrations.ledger import Entry, Key
from pgkeel.migrations.names import Name, created_table, dropped_tables
from pgkeel.migrations.plan import Files, Task
from pgkeel.migrations.position import place
from pgkeel.migrations.statement import Statement
from pgkeel.migrations.units import Unit
from pgkeel.postgres import Connection, load

__all__ = ["require_own_tables"]


def require_own_tables(
    connection: Connection, tasks: Sequence[Task], files: Files, ledger: Mapping[Key, Entry], schema: str
) -> None:
    """Check every `CREATE TABLE` that is about to run; `schema` is where unqualified names are made.

    Raises:
        NotOwned: Its table is there and no applied migration made it; nothing was run.
    """
    made = list(_made_anew(tasks, _made_by_applied(files, ledger)))
    there = load(__name__, "relations_there").rows(connection, names=[_whole(name, schema) for _, _, name in made])
    taken = {row["name"] for row in there}
    for task, statement, name in made:
        if _whole(name, schema) in taken:
            where = place(task.where, task.section.text, statement.offset)
            hint = "rename one of them, or drop the table that is there if nobody needs it"
            message = f"{where}: the table {name.text} is there already and no migration made it"
            raise NotOwned(message, hint=hint, data={"table": ".".join(name.parts)})


def _made_anew(tasks: Sequence[Task], ours: set[tuple[str, ...]]) -> Iterator[tuple[Task, Statement, Name]]:
    """Yield what makes a table that no migration has made or dropped before."""
    for task in tasks:
        for statement in (statement for unit in task.units[task.first :] for statement in unit.statements):
            ours |= {name.parts for name in dropped_tables(statement)}
            name = created_table(statement)
            if name is not None and name.parts not in ours:
                yield task, statement, name


def _made_by_applied(files: Files, ledger: Mapping[Key, Entry]) -> set[tuple[str, ...]]:
    made: set[tuple[str, ...]] = set()
    for source, migrations in files.items():
        for file in migrations:
            entry = ledger.get((source, file.version))
            if entry is not None:
                made |= _made_by(file.up.units if entry.is_complete else file.up.units[: entry.unit])
    return made


def _made_by(units: Sequence[Unit]) -> set[tuple[str, ...]]:
    names = (created_table(statement) for unit in units for statement in unit.statements)
    return {name.parts for name in names if name is not None}


def _whole(name: Name, schema: str) -> str:
    return (name if len(name.parts) > 1 else Name((schema, *name.parts), name.end)).text
