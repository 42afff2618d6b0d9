"""`add-fk`: a foreign key that stops new orphans at once and is proven for old rows beside the traffic."""

from collections.abc import Sequence

from pgkeel.core.errors import Refused, UsageError
from pgkeel.migrations.recipes.subject import Column, Table, names, read_table, split_target
from pgkeel.migrations.recipes.text import RecipeFile, alone, filled, section, unit
from pgkeel.postgres import Connection, load

__all__ = ["ON_DELETE", "ORPHANS", "add_foreign_key"]

ON_DELETE = {"restrict": "RESTRICT", "cascade": "CASCADE", "set-null": "SET NULL"}
ORPHANS = ("refuse", "null", "delete")


def add_foreign_key(
    connection: Connection, target: str, parent: str, *, on_delete: str = "restrict", orphans: str = "refuse"
) -> tuple[RecipeFile, ...]:
    """Return the files: its index, the key NOT VALID (and what clears orphans away), then the proof.

    Args:
        connection: To the database whose catalog is read.
        target: `TABLE.COLUMN[,COLUMN]`.
        parent: `TABLE.COLUMN[,COLUMN]` that it points at.
        on_delete: A word of `ON_DELETE`.
        orphans: What becomes of rows without a parent: `refuse` leaves them to fail the proof, `null`, `delete`.

    Raises:
        NotFound: There is no such table or column.
        Refused: Types differ, the parent's columns are no key, or the table is partitioned.
        UsageError: The sides have another number of columns, or NULL is wanted where it is not allowed.
    """
    child, columns = _side(connection, target)
    other, keys = _side(connection, parent)
    _require_fit(connection, child, columns, other, keys)
    if "null" in {orphans, on_delete.removeprefix("set-")} and all(column.is_not_null for column in columns):
        raise UsageError(f"{target} is NOT NULL: it cannot be set to NULL", hint="choose --on-delete restrict, --orphans delete")
    words = f"{child.name}_{'_'.join(column.name for column in columns)}"
    (key,) = names(connection, child, f"{words}_fkey")
    shown = ", ".join(column.sql for column in columns)
    action = "" if on_delete == "restrict" else f" ON DELETE {ON_DELETE[on_delete]}"
    made = f"FOREIGN KEY ({shown}) REFERENCES {other.sql} ({', '.join(column.sql for column in keys)}){action}"
    index_up, index_down = _index(connection, child, columns, words)
    up = [*index_up, unit(f"ALTER TABLE {child.sql} ADD CONSTRAINT {key} {made} NOT VALID")]
    down = [unit(f"ALTER TABLE {child.sql} DROP CONSTRAINT {key}"), *index_down]
    proof = unit(f"ALTER TABLE {child.sql} VALIDATE CONSTRAINT {key}")
    said = f"{child.sql} ({shown}) refers to {other.sql}"
    if orphans == "refuse":
        said += ": no new orphans from the second step on; the last one proves that there are no old ones."
        return (section(f"{words}_fkey", said, [*up, proof], down),)
    backfill = _clear(connection, child, columns, other, keys, orphans)
    first = section(
        f"{words}_fkey_1_add", f"{said}, step 1 of 2: no new orphans; old ones are cleared away.", up, down, backfill=backfill
    )
    back = unit(
        f"ALTER TABLE {child.sql} DROP CONSTRAINT {key}", f"ALTER TABLE {child.sql} ADD CONSTRAINT {key} {made} NOT VALID"
    )
    return (
        first,
        section(f"{words}_fkey_2_prove", f"{said}, step 2 of 2: proven beside the traffic.", [proof], [back], needs=True),
    )


def _side(connection: Connection, text: str) -> tuple[Table, list[Column]]:
    schema, name, wanted = split_target(text)
    table = read_table(connection, schema, name)
    return table, [table.column(column) for column in wanted]


def _require_fit(connection: Connection, child: Table, columns: Sequence[Column], other: Table, keys: Sequence[Column]) -> None:
    if len(columns) != len(keys):
        raise UsageError(f"{len(columns)} columns cannot refer to {len(keys)}", hint="name as many on both sides: a.x,y b.x,y")
    for column, key in zip(columns, keys, strict=True):
        if _base(column.type) != _base(key.type):
            hint = f"`pgkeel migrate new --recipe change-type {child.sql}.{column.name} {key.type}` first"
            raise Refused(f"{child.sql}.{column.sql} is {column.type}, {other.sql}.{key.sql} is {key.type}", hint=hint)
    if child.is_partitioned:
        hint = "PostgreSQL refuses NOT VALID there: add the key to each partition so, then to the parent"
        raise Refused(f"{child.sql} is partitioned", hint=hint)
    if not _reads(connection, other, keys)["is_key"]:
        shown = ",".join(key.name for key in keys)
        raise Refused(f"{other.sql} ({shown}) is no key", hint=f"`pgkeel migrate new --recipe unique {other.sql}.{shown}` first")


def _base(kind: str) -> str:
    return kind.split("(", maxsplit=1)[0].replace("character varying", "text")


def _reads(connection: Connection, table: Table, columns: Sequence[Column]) -> dict[str, bool]:
    numbers = [column.number for column in columns]
    return load(__name__, "recipe_referenced").row(connection, table=table.id, columns=numbers) or {}


def _index(connection: Connection, child: Table, columns: Sequence[Column], words: str) -> tuple[list[str], list[str]]:
    if _reads(connection, child, columns)["is_indexed"]:
        return [], []
    (index,) = names(connection, child, f"{words}_idx")
    shown = ", ".join(column.sql for column in columns)
    return [alone(f"CREATE INDEX CONCURRENTLY {index} ON {child.sql} ({shown})")], [alone(f"DROP INDEX CONCURRENTLY {index}")]


def _clear(
    connection: Connection, child: Table, columns: Sequence[Column], other: Table, keys: Sequence[Column], orphans: str
) -> str:
    key = child.key(connection)
    pairs = zip(columns, keys, strict=True)
    statement = filled(
        f"fill_{orphans}_orphans",
        table=child.sql,
        parent=other.sql,
        key=key,
        nulls=", ".join(f"{column.sql} = NULL" for column in columns if not column.is_not_null),
        given=" AND ".join(f"child.{column.sql} IS NOT NULL" for column in columns),
        same=" AND ".join(f"parent.{one.sql} = child.{column.sql}" for column, one in pairs),
    )
    return f"-- Backfill Migration table={child.sql} key={key}\n{statement}"
