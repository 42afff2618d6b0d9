"""`unique`: a key whose index is built beside the writers."""

from pgkeel.core.errors import Refused
from pgkeel.migrations.recipes.subject import names, read_table, split_target
from pgkeel.migrations.recipes.text import RecipeFile, alone, section, unit
from pgkeel.postgres import Connection, load

__all__ = ["unique"]


def unique(connection: Connection, target: str) -> tuple[RecipeFile, ...]:
    """Return the file: the index CONCURRENTLY, then the constraint that takes it.

    Args:
        connection: To the database whose catalog is read.
        target: `TABLE.COLUMN[,COLUMN]`.

    Raises:
        NotFound: There is no such table or column.
        Refused: The columns are unique already, or the table is partitioned.
    """
    schema, name, wanted = split_target(target)
    table = read_table(connection, schema, name)
    columns = [table.column(column) for column in wanted]
    if table.is_partitioned:
        hint = "make the index ON ONLY the parent, CONCURRENTLY on each partition, and ATTACH them; then add the constraint"
        raise Refused(f"{table.sql} is partitioned: its index cannot be built CONCURRENTLY", hint=hint)
    numbers = [column.number for column in columns]
    found = load(__name__, "recipe_referenced").row(connection, table=table.id, columns=numbers) or {}
    shown = ", ".join(column.sql for column in columns)
    if found["is_key"]:
        raise Refused(f"{table.sql} ({shown}) is unique already", hint="`pgkeel schema show` lists the keys")
    words = f"{name}_{'_'.join(wanted)}"
    (key,) = names(connection, table, f"{words}_key")
    said = f"{table.sql} ({shown}) becomes unique. Where it is not yet, the build fails and the next `up` cleans up after it:\n"
    said += f"look for rows that share a value of {shown} first."
    up = [alone(f"CREATE UNIQUE INDEX CONCURRENTLY {key} ON {table.sql} ({shown})")]
    up += [unit(f"ALTER TABLE {table.sql} ADD CONSTRAINT {key} UNIQUE USING INDEX {key}")]
    return (section(f"{words}_unique", said, up, [unit(f"ALTER TABLE {table.sql} DROP CONSTRAINT {key}")]),)
