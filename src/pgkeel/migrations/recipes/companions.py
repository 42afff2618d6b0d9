"""What comes along when a column's place is taken by another: NOT NULL, indexes, keys, checks, foreign keys."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from pgkeel.core.errors import Refused
from pgkeel.migrations.recipes.subject import Column, Dependent, Table, names
from pgkeel.migrations.recipes.text import alone, moved, unit
from pgkeel.postgres import Connection

__all__ = ["Companion", "companions_of", "made_beside", "made_plainly", "proven_not_null", "refuse_what_stays"]

_CARRIED = {"index", "unique", "check", "foreign"}


class Companion(msgspec.Struct, frozen=True):
    """An index or constraint of the old column, and its like on the new one.

    Attributes:
        kind: `index`, `unique`, `check` or `foreign`.
        old: Its name, as SQL.
        new: The name of its like, as SQL.
        definition: The old one's.
        like: The new one's: `CREATE INDEX …`, or what follows ADD CONSTRAINT name.
    """

    kind: str
    old: str
    new: str
    definition: str
    like: str


def refuse_what_stays(table: Table, column: Column, dependents: Iterable[Dependent], *, allowed: set[str]) -> None:
    """Refuse a column that something rests on which cannot be moved in steps.

    Raises:
        Refused: And says what.
    """
    where = f"{table.sql}.{column.sql}"
    for is_so, what in (
        (column.is_identity, "an identity column"),
        (column.is_generated, "a generated column"),
        (column.owns_sequence, "numbered by a sequence of its own"),
        (column.is_partition_key, "part of the partition key"),
        (column.has_grants, "granted by itself"),
        (not column.is_comparable, f"of type {column.type}, which has no equality"),
    ):
        if is_so:
            raise Refused(
                f"{where} is {what}: a recipe cannot move it", hint="write these steps by hand, and `pgkeel migrate trace`"
            )
    for found in dependents:
        if found.kind not in _CARRIED | allowed:
            what = {"referenced": "the foreign key", "primary": "the primary key"}.get(found.kind, f"the {found.kind}")
            hint = "drop it, or point it elsewhere, in a migration of its own; then ask for the recipe again"
            raise Refused(f"{what} {found.name} rests on {where}: a recipe cannot move it", hint=hint)


def companions_of(
    connection: Connection, table: Table, column: Column, dependents: Sequence[Dependent], new: str, suffix: str
) -> list[Companion]:
    """Return what the new column needs.

    Args:
        connection: Asked which names are free.
        table: Whose column.
        column: The old one.
        dependents: What rests on it.
        new: The new column, as SQL.
        suffix: What its names get where they do not hold the old column's name; "" never.

    Raises:
        Refused: A name is taken.
    """
    carried = [found for found in dependents if found.kind in _CARRIED]
    wanted = [_name_of(found.name, column.name, new.strip('"'), suffix) for found in carried]
    fresh = names(connection, table, *wanted)
    return [
        Companion(found.kind, found.sql, name, found.definition, _like(found, column.name, new, name))
        for found, name in zip(carried, fresh, strict=True)
    ]


def _name_of(name: str, old: str, new: str, suffix: str) -> str:
    return name.replace(old, new) if old in name and not suffix else f"{name[:50]}{suffix or '_' + new}"


def _like(found: Dependent, old: str, new: str, name: str) -> str:
    if found.kind == "index":
        made, _, rest = found.definition.partition(" ON ")
        head = "CREATE UNIQUE INDEX" if made.startswith("CREATE UNIQUE") else "CREATE INDEX"
        target, _, columns = rest.partition(" USING ")
        return f"{head} CONCURRENTLY {name} ON {target.removeprefix('public.')} USING {moved(columns, old, new)}"
    own, found_it, parent = found.definition.partition(" REFERENCES ")
    return f"{moved(own, old, new)}{found_it}{parent}"


def proven_not_null(table: Table, column: str, check: str) -> Iterator[str]:
    """Yield the units that make a column NOT NULL without reading the table behind a lock."""
    yield unit(f"ALTER TABLE {table.sql} ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID")
    yield unit(f"ALTER TABLE {table.sql} VALIDATE CONSTRAINT {check}")
    yield unit(f"ALTER TABLE {table.sql} ALTER COLUMN {column} SET NOT NULL", f"ALTER TABLE {table.sql} DROP CONSTRAINT {check}")


def made_beside(table: Table, companions: Iterable[Companion]) -> Iterator[str]:
    """Yield the units that make the new column's companions beside the traffic; a unique key's is its index alone."""
    for one in companions:
        if one.kind == "index":
            yield alone(one.like)
        elif one.kind == "unique":
            columns = one.like.partition("UNIQUE ")[2]
            yield alone(f"CREATE UNIQUE INDEX CONCURRENTLY {one.new} ON {table.sql} {columns}")
        else:
            like = one.like.removesuffix(" NOT VALID")
            yield unit(f"ALTER TABLE {table.sql} ADD CONSTRAINT {one.new} {like} NOT VALID")
            yield unit(f"ALTER TABLE {table.sql} VALIDATE CONSTRAINT {one.new}")


def made_plainly(table: Table, companions: Iterable[Companion]) -> tuple[list[str], list[str]]:
    """Return what a Down needs for the old column: statements of its transaction, and the indexes behind it."""
    kept = list(companions)
    inside = [f"ALTER TABLE {table.sql} ADD CONSTRAINT {one.old} {one.definition}" for one in kept if one.kind != "index"]
    indexes = [one.definition.replace("INDEX", "INDEX CONCURRENTLY", 1) for one in kept if one.kind == "index"]
    return inside, [alone(index) for index in indexes]
