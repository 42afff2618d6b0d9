"""Whether the encrypted columns of the models are in the database, in that form: the ones come before the others are deployed."""

from collections.abc import Sequence

from pgkeel.core.errors import Refused
from pgkeel.postgres import Connection, Row, load
from pgkeel.schema.field import EncryptedField

__all__ = ["is_there", "require_there"]


def is_there(connection: Connection, field: EncryptedField) -> bool:
    """Return whether a column is in the database, and encrypted."""
    row = _found(connection, field, field.column)
    return row is not None and row["type"] == "bytea"


def require_there(connection: Connection, fields: Sequence[EncryptedField]) -> None:
    """Refuse to work on columns that the database does not have, has in clear, or shows a part of.

    Raises:
        Refused: One is such; it is named.
    """
    for field in fields:
        for column in (field.column, *((field.digest, field.next_digest) if field.index is not None else ())):
            row = _found(connection, field, column)
            if row is None:
                message = f"{field.table_name}.{column} is not in this database, and the models declare it"
                raise Refused(message, hint="`pgkeel migrate up`, or write the migration that adds it")
            if row["type"] != "bytea":
                message = f"{field.table_name}.{column} is {row['type']} in this database, and encrypted in the models"
                raise Refused(message, hint=f"`pgkeel security encrypt {field.name}` writes the migrations")
            if row["hides_rows"]:
                message = f"row-level security hides rows of {field.table_name} from this login: they would be passed over"
                raise Refused(message, hint=f"ALTER TABLE {field.table_name} NO FORCE ROW LEVEL SECURITY while it runs")


def _found(connection: Connection, field: EncryptedField, column: str) -> Row | None:
    table = ".".join(f'"{part}"' for part in field.table)
    return load(__name__, "column_type").row(connection, table=table, column=column)
