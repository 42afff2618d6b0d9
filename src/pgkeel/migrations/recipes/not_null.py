"""`not-null`: a column that holds no NULL any more, proven before it is promised.

A CHECK that is NOT VALID yet refuses every update of an old row that breaks it, so old rows are filled before there is one; until
then a trigger keeps new ones filled.
"""

from collections.abc import Sequence

from pgkeel.core.errors import Refused, UsageError
from pgkeel.migrations.recipes.companions import proven_not_null
from pgkeel.migrations.recipes.subject import Column, Table, names, read_table, split_target
from pgkeel.migrations.recipes.text import RecipeFile, filled, in_schema, moved, section, unit
from pgkeel.postgres import Connection

__all__ = ["not_null"]


def not_null(connection: Connection, target: str, *, fill: str | None) -> tuple[RecipeFile, ...]:
    """Return the files: a fill of old rows and of what is written meanwhile, then the proof and NOT NULL.

    Args:
        connection: To the database whose catalog is read.
        target: `TABLE.COLUMN`.
        fill: What rows without a value get, as SQL; None takes the column's default, "" fills nothing.

    Raises:
        NotFound: There is no such table or column.
        Refused: The column is NOT NULL already.
        UsageError: Old rows may be NULL and nothing says what they get.
    """
    schema, name, columns = split_target(target)
    table = read_table(connection, schema, name)
    column = table.column(columns[0])
    if column.is_not_null:
        raise Refused(f"{table.sql}.{column.sql} is NOT NULL already", hint="`pgkeel schema show` lists the columns")
    value = column.default if fill is None else fill
    if value is None:
        hint = "--fill \"''\" gives old rows that value; --fill '' when there is none to fill"
        raise UsageError(f"{table.sql}.{column.sql} has no default: what do rows without a value get?", hint=hint)
    words = f"{name}_{column.name}_not_null"
    check, trigger = names(connection, table, f"{name}_{column.name}_is_set", f"{name}_{column.name}_fill")
    proof = list(proven_not_null(table, column.sql, check))
    undo = f"ALTER TABLE {table.sql} ALTER COLUMN {column.sql} DROP NOT NULL"
    where = f"{table.sql}.{column.sql}"
    if not value:
        said = f"{where} becomes NOT NULL. Deploy code that always writes it before this runs, and see that no row lacks it."
        return (section(words, said, proof, [unit(undo)]),)
    return _with_fill(connection, table, column, value, trigger, words, proof, undo)


def _with_fill(
    connection: Connection, table: Table, column: Column, value: str, trigger: str, words: str, proof: Sequence[str], undo: str
) -> tuple[RecipeFile, ...]:
    key, where, function = table.key(connection), f"{table.sql}.{column.sql}", in_schema(table, trigger)
    fresh = value
    for other in table.columns.values():
        fresh = moved(fresh, other.name, f"NEW.{other.sql}")
    placed = {"table": table.sql, "column": column.sql}
    keeps = filled("filled_on_write", **placed, function=function, trigger=trigger, schema=table.schema, value=fresh)
    drops = [f"DROP TRIGGER {trigger} ON {table.sql}", f"DROP FUNCTION {function}()"]
    statement = filled("not_null_fill", **placed, value=value, key=key)
    return (
        section(
            f"{words}_1_fill",
            f"{where} becomes NOT NULL, step 1 of 2: writes without it get a value, and so do old rows, beside the traffic.",
            [unit(keeps)],
            [unit(*drops)],
            ignores="MIG044",
            backfill=f"-- Backfill Migration table={table.sql} key={key}\n{statement}",
        ),
        section(
            f"{words}_2_prove",
            f"{where} becomes NOT NULL, step 2 of 2: proven beside the traffic, then promised.\n"
            "Deploy code that always writes it before this runs: from then on a write without it fails.",
            [*proof, unit(*drops)],
            [unit(undo, keeps)],
            ignores="MIG033",
            needs=True,
        ),
    )
