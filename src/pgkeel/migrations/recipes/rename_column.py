"""`rename-column`: a second column under the new name, equal to the old one until no program uses that any more."""

from collections.abc import Sequence

from pgkeel.core.errors import Refused
from pgkeel.migrations.recipes.companions import (
    Companion,
    companions_of,
    made_beside,
    made_plainly,
    proven_not_null,
    refuse_what_stays,
)
from pgkeel.migrations.recipes.subject import Column, Dependent, Table, names, read_table, split_target
from pgkeel.migrations.recipes.text import RecipeFile, filled, in_schema, moved_in_view, section, unit
from pgkeel.postgres import Connection

__all__ = ["rename_column"]


def rename_column(connection: Connection, target: str, new_name: str) -> tuple[RecipeFile, ...]:
    """Return the files: expand with a fill, the new column's keys and proofs, contract.

    Args:
        connection: To the database whose catalog is read.
        target: `TABLE.COLUMN`.
        new_name: What the column is to be called.

    Raises:
        NotFound: There is no such table or column.
        Refused: The name is taken, or something rests on the column that cannot be moved in steps.
    """
    schema, name, columns = split_target(target)
    table = read_table(connection, schema, name)
    old = table.column(columns[0])
    resting = table.dependents(connection, old)
    refuse_what_stays(table, old, resting, allowed={"view"})
    if new_name == old.name:
        raise Refused(f"{table.sql}.{old.sql} has that name already", hint="name another one")
    new, check, both = names(connection, table, new_name, f"{name}_{new_name}_is_set", f"{name}_{new_name}_is_{old.name}")
    companions = companions_of(connection, table, old, resting, new, "")
    sync = filled(
        "both_ways", function=in_schema(table, both), trigger=both, table=table.sql, schema=table.schema, new=new, old=old.sql
    )
    unsync = [f"DROP TRIGGER {both} ON {table.sql}", f"DROP FUNCTION {in_schema(table, both)}()"]
    words = f"{name}_{old.name}_to_{new_name}"
    first = _expand(connection, table, old, new, words, sync, unsync)
    middle = _keys(table, old, new, words, check, companions)
    return (first, *middle, _contract(table, old, new, words, (sync, unsync), companions, resting))


def _expand(
    connection: Connection, table: Table, old: Column, new: str, words: str, sync: str, unsync: Sequence[str]
) -> RecipeFile:
    key = table.key(connection)
    copy = filled("copy", table=table.sql, new=new, old=old.sql, value=old.sql, key=key)
    return section(
        f"{words}_1_expand",
        f"{table.sql}.{old.sql} gets the name {new}, step 1: a second column, equal to the first whoever writes which.\n"
        f"Programs may use either name from here on.",
        [unit(f"ALTER TABLE {table.sql} ADD COLUMN {new} {old.type}"), unit(sync)],
        [unit(*unsync), unit(f"ALTER TABLE {table.sql} DROP COLUMN {new}")],
        ignores="MIG044",
        backfill=f"-- Backfill Migration table={table.sql} key={key}\n{copy}",
    )


def _keys(table: Table, old: Column, new: str, words: str, check: str, companions: Sequence[Companion]) -> list[RecipeFile]:
    up = list(proven_not_null(table, new, check)) if old.is_not_null else []
    up += [*made_beside(table, companions)]
    up += [
        unit(f"ALTER TABLE {table.sql} ADD CONSTRAINT {one.new} UNIQUE USING INDEX {one.new}")
        for one in companions
        if one.kind == "unique"
    ]
    if not up:
        return []
    down = [_undone(table, one) for one in reversed(companions)]
    down += [unit(f"ALTER TABLE {table.sql} ALTER COLUMN {new} DROP NOT NULL")] if old.is_not_null else []
    said = f"{table.sql}.{old.sql} gets the name {new}, step 2: the new column gets what the old one has."
    return [section(f"{words}_2_keys", said, up, down, needs=True)]


def _undone(table: Table, one: Companion) -> str:
    if one.kind == "index":
        return f"DROP INDEX CONCURRENTLY {in_schema(table, one.new)};"
    return unit(f"ALTER TABLE {table.sql} DROP CONSTRAINT {one.new}")


def _contract(
    table: Table,
    old: Column,
    new: str,
    words: str,
    sync: tuple[str, Sequence[str]],
    companions: Sequence[Companion],
    resting: Sequence[Dependent],
) -> RecipeFile:
    views = [found.definition for found in resting if found.kind == "view"]
    made, unmade = sync
    up = [
        *(moved_in_view(view, table.name, old.name, new) for view in views),
        *unmade,
        f"ALTER TABLE {table.sql} ALTER COLUMN {new} SET DEFAULT {old.default}" if old.default else "",
        _commented(table, new, old.comment),
        f"ALTER TABLE {table.sql} DROP COLUMN {old.sql}",
    ]
    inside, indexes = made_plainly(table, companions)
    down = [
        f"ALTER TABLE {table.sql} ADD COLUMN {old.sql} {old.type}",
        f"ALTER TABLE {table.sql} ALTER COLUMN {new} DROP DEFAULT" if old.default else "",
        f"ALTER TABLE {table.sql} ALTER COLUMN {old.sql} SET DEFAULT {old.default}" if old.default else "",
        f"COMMENT ON COLUMN {table.sql}.{new} IS NULL" if old.comment else "",
        _commented(table, old.sql, old.comment),
        made,
        filled("copy_back", table=table.sql, old=old.sql, value=new),
        f"ALTER TABLE {table.sql} ALTER COLUMN {old.sql} SET NOT NULL" if old.is_not_null else "",
        *views,
    ]
    return section(
        f"{words}_3_contract",
        f"{table.sql}.{old.sql} gets the name {new}, step 3: the old column goes.\n"
        f"Run it when no program reads or writes {old.sql} any more. Its Down copies every row in one transaction.",
        [unit(*up)],
        [unit(*down), unit(*inside), *indexes],
        ignores="MIG030, MIG033",
        needs=True,
    )


def _commented(table: Table, column: str, comment: str | None) -> str:
    return f"COMMENT ON COLUMN {table.sql}.{column} IS '{(comment or '').replace(chr(39), chr(39) * 2)}'" if comment else ""
