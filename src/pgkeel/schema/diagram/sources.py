"""Where a diagram's tables come from: SQLAlchemy metadata, or the catalog of a database."""

from collections.abc import Sequence

import sqlalchemy
from sqlalchemy import MetaData, UniqueConstraint
from sqlalchemy.dialects import postgresql

from pgkeel.postgres import Connection, Row, load
from pgkeel.schema.diagram.graph import Diagram, ForeignKey, Table, diagram_of, short_type

__all__ = ["from_database", "from_metadata"]


def from_metadata(metadata: MetaData) -> Diagram:
    """Return the diagram of the models behind a declarative base's metadata."""
    return diagram_of(_from_table(table) for table in metadata.tables.values())


def _from_table(table: sqlalchemy.Table) -> Table:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # untyped in SQLAlchemy
    columns = tuple(
        (str(column.name), short_type(str(column.type.compile(dialect=dialect))), bool(column.nullable))
        for column in table.columns
    )
    key = tuple(str(column.name) for column in table.primary_key.columns)
    unique = {
        frozenset(str(column.name) for column in one.columns) for one in table.constraints if isinstance(one, UniqueConstraint)
    }
    unique |= {frozenset(str(column.name) for column in index.columns) for index in table.indexes if index.unique}
    foreign = sorted(
        ForeignKey(
            tuple(str(element.parent.name) for element in one.elements),
            str(one.elements[0].column.table.fullname),
            tuple(str(element.column.name) for element in one.elements),
        )
        for one in table.foreign_key_constraints
    )
    return Table(str(table.fullname), columns, key, frozenset(unique | {frozenset(key)}), tuple(foreign))


def from_database(connection: Connection, *, schemas: Sequence[str] = ("public",)) -> Diagram:
    """Return the diagram of what the schemas hold; partitions belong to their parent, extensions' tables are left out."""
    columns = load(__name__, "columns").rows(connection, schemas=list(schemas))
    keys = load(__name__, "keys").rows(connection, schemas=list(schemas))
    names = dict.fromkeys(row["table_name"] for row in columns)
    return diagram_of(_from_rows(name, columns, [row for row in keys if row["table_name"] == name]) for name in names)


def _from_rows(name: str, columns: Sequence[Row], keys: Sequence[Row]) -> Table:
    own = tuple((row["column_name"], short_type(row["type"]), row["is_nullable"]) for row in columns if row["table_name"] == name)
    primary = next((tuple(row["columns"]) for row in keys if row["kind"] == "p"), ())
    unique = frozenset(frozenset(row["columns"]) for row in keys if row["kind"] in {"p", "u"})
    foreign = sorted(
        ForeignKey(tuple(row["columns"]), row["parent_name"], tuple(row["parent_columns"])) for row in keys if row["kind"] == "f"
    )
    return Table(name, own, primary, unique, tuple(foreign))
