"""`change-type`: a column of the new type, filled beside the old one, and both change places in a moment."""

from collections.abc import Sequence

import msgspec

from pgkeel.core.errors import Refused
from pgkeel.migrations.recipes.companions import (
    Companion,
    companions_of,
    made_beside,
    made_plainly,
    proven_not_null,
    refuse_what_stays,
)
from pgkeel.migrations.recipes.subject import Column, Table, names, read_table, split_target, type_named
from pgkeel.migrations.recipes.text import RecipeFile, filled, in_schema, moved, section, unit
from pgkeel.postgres import Connection

__all__ = ["change_type"]


class _Change(msgspec.Struct, frozen=True):
    """Names and texts of one change; all as SQL.

    Attributes:
        new: The second column until both change places.
        old: The first column afterwards.
        value: The new value from the old column.
        back: The old value from the new column.
    """

    table: Table
    column: Column
    type: str
    new: str
    old: str
    check: str
    copies: str
    copies_back: str
    value: str
    back: str
    key: str
    companions: list[Companion]
    words: str


def change_type(connection: Connection, target: str, wanted: str, *, using: str | None) -> tuple[RecipeFile, ...]:
    """Return the files: expand with a fill, change places, contract.

    Args:
        connection: To the database whose catalog is read.
        target: `TABLE.COLUMN`.
        wanted: The new type.
        using: The new value as SQL over the column; None casts.

    Raises:
        NotFound: There is no such table, column or type.
        Refused: Something rests on the column that cannot be moved in steps.
    """
    schema, name, columns = split_target(target)
    table = read_table(connection, schema, name)
    column = table.column(columns[0])
    kind = type_named(connection, wanted)
    if kind == column.type:
        raise Refused(f"{table.sql}.{column.sql} is {kind} already", hint="`pgkeel schema show` lists the columns")
    resting = table.dependents(connection, column)
    refuse_what_stays(table, column, resting, allowed=set())
    stem = f"{name}_{column.name}"
    free = (f"{column.name}_new", f"{column.name}_old", f"{stem}_is_set", f"{stem}_copy", f"{stem}_copy_back")
    new, old, check, copies, copies_back = names(connection, table, *free)
    change = _Change(
        table,
        column,
        kind,
        new,
        old,
        check,
        copies,
        copies_back,
        using or f"{column.sql}::{kind}",
        f"{column.sql}::{column.type.split(' COLLATE ')[0]}",
        table.key(connection),
        companions_of(connection, table, column, resting, new, "_new"),
        f"{stem}_to_{kind.split('(')[0].replace(' ', '_')}",
    )
    return (_expand(change), _exchange(change), _contract(change))


def _expand(change: _Change) -> RecipeFile:
    table, column = change.table, change.column
    fill = filled("copy", table=table.sql, new=change.new, old=column.sql, value=change.value, key=change.key)
    return section(
        f"{change.words}_1_expand",
        f"{table.sql}.{column.sql} becomes {change.type}, step 1 of 3: a second column of that type follows the first.",
        [unit(f"ALTER TABLE {table.sql} ADD COLUMN {change.new} {change.type}"), unit(_follows(change))],
        [unit(*_unfollows(change)), unit(f"ALTER TABLE {table.sql} DROP COLUMN {change.new}")],
        ignores="MIG044",
        backfill=f"-- Backfill Migration table={table.sql} key={change.key}\n{fill}",
    )


def _follows(change: _Change) -> str:
    value = moved(change.value, change.column.name, f"NEW.{change.column.sql}")
    return _trigger(change, change.copies, change.new, value)


def _follows_back(change: _Change) -> str:
    value = moved(change.back, change.column.name, f"NEW.{change.column.sql}")
    return _trigger(change, change.copies_back, change.old, value)


def _trigger(change: _Change, name: str, copy: str, value: str) -> str:
    table = change.table
    return filled(
        "one_way", function=in_schema(table, name), trigger=name, table=table.sql, schema=table.schema, copy=copy, value=value
    )


def _unfollows(change: _Change) -> list[str]:
    return [f"DROP TRIGGER {change.copies} ON {change.table.sql}", f"DROP FUNCTION {in_schema(change.table, change.copies)}()"]


def _unfollows_back(change: _Change) -> list[str]:
    name = change.copies_back
    return [f"DROP TRIGGER {name} ON {change.table.sql}", f"DROP FUNCTION {in_schema(change.table, name)}()"]


def _all_copied(change: _Change, old: str, new: str) -> str:
    """Return the statement that fails while a value of the old column is missing in the new one; it only reads."""
    said = f"rows of {change.table.sql} hold a {change.column.sql} that {change.type} cannot".replace("'", "''")
    hint = f"{old} IS NOT NULL AND {new} IS NULL".replace("'", "''")
    return filled("all_copied", table=change.table.sql, old=old, new=new, said=said, hint=hint)


def _exchange(change: _Change) -> RecipeFile:
    table, column = change.table, change.column
    up = [
        unit(_all_copied(change, column.sql, change.new)),
        *(proven_not_null(table, change.new, change.check) if column.is_not_null else ()),
        *made_beside(table, change.companions),
        unit(*_places_changed(change)),
    ]
    return section(
        f"{change.words}_2_exchange",
        f"{table.sql}.{column.sql} becomes {change.type}, step 2 of 3: the columns change places; the old one follows now.\n"
        "Programs meet the new type when this has run: deploy code that takes both before.",
        up,
        _places_changed_back(change),
        ignores="MIG033, MIG034, MIG044, MIG048, MIG055, MIG056",
        needs=True,
    )


def _places_changed(change: _Change) -> list[str]:
    column, alter = change.column, f"ALTER TABLE {change.table.sql}"
    kept = [one for one in change.companions if one.kind != "index"]
    return [
        *_unfollows(change),
        *(f"{alter} DROP CONSTRAINT {one.old}" for one in kept),
        f"{alter} ALTER COLUMN {column.sql} DROP NOT NULL" if column.is_not_null else "",
        f"{alter} ALTER COLUMN {column.sql} DROP DEFAULT" if column.default else "",
        f"{alter} RENAME COLUMN {column.sql} TO {change.old}",
        f"{alter} RENAME COLUMN {change.new} TO {column.sql}",
        f"{alter} ALTER COLUMN {column.sql} SET DEFAULT {_default(change)}" if column.default else "",
        *(_named_as_before(change.table, one) for one in change.companions),
        _follows_back(change),
    ]


def _default(change: _Change) -> str:
    return f"({change.column.default})::{change.type}"


def _named_as_before(table: Table, one: Companion) -> str:
    if one.kind == "index":
        where = in_schema(table, one.new)
        aside = f"ALTER INDEX {in_schema(table, one.old)} RENAME TO {_aside(one)}"
        return f"{aside};\nALTER INDEX {where} RENAME TO {one.old};"
    if one.kind == "unique":
        return f"ALTER TABLE {table.sql} ADD CONSTRAINT {one.old} UNIQUE USING INDEX {one.new}"
    return f"ALTER TABLE {table.sql} RENAME CONSTRAINT {one.new} TO {one.old}"


def _aside(one: Companion) -> str:
    return one.new.removesuffix("_new").removesuffix('_new"') + ('_old"' if one.new.endswith('"') else "_old")


def _places_changed_back(change: _Change) -> list[str]:
    column, alter = change.column, f"ALTER TABLE {change.table.sql}"
    indexes = [one for one in change.companions if one.kind == "index"]
    kept = [one for one in change.companions if one.kind != "index"]
    first = [
        *_unfollows_back(change),
        *(f"{alter} DROP CONSTRAINT {one.old}" for one in kept),
        f"{alter} ALTER COLUMN {column.sql} DROP DEFAULT" if column.default else "",
        f"{alter} ALTER COLUMN {column.sql} DROP NOT NULL" if column.is_not_null else "",
        f"{alter} RENAME COLUMN {column.sql} TO {change.new}",
        f"{alter} RENAME COLUMN {change.old} TO {column.sql}",
        f"{alter} ALTER COLUMN {column.sql} SET DEFAULT {column.default}" if column.default else "",
        *(f"DROP INDEX {in_schema(change.table, one.old)}" for one in indexes),
        *(f"ALTER INDEX {in_schema(change.table, _aside(one))} RENAME TO {one.old}" for one in indexes),
        f"{alter} ALTER COLUMN {column.sql} SET NOT NULL" if column.is_not_null else "",
        *(f"{alter} ADD CONSTRAINT {one.old} {one.definition}" for one in kept),
        _follows(change),
    ]
    return [unit(*first)]


def _contract(change: _Change) -> RecipeFile:
    table, column = change.table, change.column
    indexes = [msgspec.structs.replace(one, definition=_definition_aside(one, change)) for one in _indexes(change)]
    _, behind = made_plainly(table, indexes)
    down = [
        f"ALTER TABLE {table.sql} ADD COLUMN {change.old} {column.type}",
        _follows_back(change),
        filled("copy_back", table=table.sql, old=change.old, value=change.back),
    ]
    return section(
        f"{change.words}_3_contract",
        f"{table.sql}.{column.sql} becomes {change.type}, step 3 of 3: the column of the old type goes.\n"
        "From here on there is no way back without copying; its Down copies every row in one transaction.",
        [
            unit(_all_copied(change, change.old, column.sql)),
            unit(*_unfollows_back(change), f"ALTER TABLE {table.sql} DROP COLUMN {change.old}"),
        ],
        [unit(*down), *behind],
        ignores="MIG030, MIG033",
    )


def _indexes(change: _Change) -> Sequence[Companion]:
    return [one for one in change.companions if one.kind == "index"]


def _definition_aside(one: Companion, change: _Change) -> str:
    head, _, rest = one.definition.partition(" ON ")
    target, _, columns = rest.partition(" USING ")
    made = " ".join([*head.split()[:-1], _aside(one)])
    return f"{made} ON {target} USING {moved(columns, change.column.name, change.old)}"
