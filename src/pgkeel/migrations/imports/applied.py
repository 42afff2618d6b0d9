"""Read another tool's own ledger: which of its migrations count as applied. It is only read, and stays where it is."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import psycopg

from pgkeel.core.errors import NotFound, Refused
from pgkeel.migrations.imports.alembic import ancestors
from pgkeel.migrations.imports.files import dotted
from pgkeel.migrations.imports.foreign import Foreign
from pgkeel.postgres import Connection, Row, describe, identifier, load

__all__ = ["LEDGERS", "applied"]

LEDGERS = {
    "alembic": ("applied_alembic", "alembic_version"),
    "dbmate": ("applied_dbmate", "schema_migrations"),
    "flyway": ("applied_flyway", "flyway_schema_history"),
    "golang-migrate": ("applied_golang", "schema_migrations"),
    "node-pg-migrate": ("applied_node", "pgmigrations"),
    "yoyo": ("applied_yoyo", "_yoyo_migration"),
}
_FLYWAY_DONE = {"SQL", "BASELINE", "SQL_BASELINE", "JDBC", "SPRING_JDBC"}


def applied(connection: Connection, tool: str, migrations: Sequence[Foreign], folder: Path, *, table: str | None) -> set[str]:
    """Return the ids of the migrations that the tool has applied here; none where it has no ledger.

    Args:
        connection: To the database that the tool migrated.
        tool: A name of `LEDGERS`.
        migrations: What was converted.
        folder: The tool's own folder.
        table: Its ledger, where it does not have its usual name.

    Raises:
        NotFound: The table that was named is not there.
        Refused: The ledger says that a migration failed half-way, or names one whose file is gone.
    """
    query, usual = LEDGERS[tool]
    row = load(__name__, "foreign_ledger").row(connection, name=table or usual)
    if row is None:
        if table is not None:
            raise NotFound(f"there is no table {table}", hint=f"{tool} keeps its ledger in {usual} unless it was told otherwise")
        return set()
    try:
        rows = load(__name__, query).named(ledger=identifier(row["schema"], row["name"])).rows(connection)
    except psycopg.errors.UndefinedColumn as err:
        raise Refused(
            f"{row['name']} is not a ledger of {tool}: {describe(err)}", hint="--ledger TABLE names the right one"
        ) from err
    for one in rows:
        if not one["is_well"]:
            raise Refused(f"{tool} says that {one['id']} failed half-way", hint=f"set it right with {tool} first, then import")
    return _read(tool)(rows, migrations, folder)


def _read(tool: str) -> Callable[[list[Row], Sequence[Foreign], Path], set[str]]:
    return {"golang-migrate": _up_to, "flyway": _of_flyway, "alembic": _of_alembic}.get(tool, _by_id)


def _by_id(rows: list[Row], migrations: Sequence[Foreign], _folder: Path) -> set[str]:
    ids = {row["id"] for row in rows}
    _require_files(ids - {one.id for one in migrations})
    return ids


def _require_files(missing: Iterable[str]) -> None:
    lost = sorted(missing)
    if lost:
        hint = "bring its file back: what was applied must be among what is imported"
        raise Refused(f"{lost[0]} is applied and its file is not there ({len(lost)} such)", hint=hint)


def _up_to(rows: list[Row], migrations: Sequence[Foreign], _folder: Path) -> set[str]:
    newest = max((int(row["id"]) for row in rows), default=-1)
    if rows:
        _require_files({str(newest)} - {one.id for one in migrations})
    return {one.id for one in migrations if int(one.id) <= newest}


def _of_flyway(rows: list[Row], migrations: Sequence[Foreign], _folder: Path) -> set[str]:
    done: dict[tuple[int, ...], str] = {}
    base: tuple[int, ...] = ()
    for row in rows:  # in the order of their ranks: an undo takes a version back, a later row applies it again
        key = dotted(row["id"])
        if row["kind"] in _FLYWAY_DONE:
            done[key] = row["id"]
            base = max(base, key) if "BASELINE" in row["kind"] else base
        elif row["kind"] in {"UNDO_SQL", "DELETE"}:
            done.pop(key, None)
    known = {dotted(one.id): one.id for one in migrations}
    _require_files(version for key, version in done.items() if key not in known and key > base)
    return {id_ for key, id_ in known.items() if key in done or key <= base}


def _of_alembic(rows: list[Row], migrations: Sequence[Foreign], folder: Path) -> set[str]:
    heads = [row["id"] for row in rows]
    _require_files(set(heads) - {one.id for one in migrations})
    return ancestors(migrations, heads, folder) if heads else set()
