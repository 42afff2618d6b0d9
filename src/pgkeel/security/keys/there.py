"""Whether the encrypted columns of the models are in the database, in that form: the ones come before the others are deployed."""

from collections.abc import Sequence

from pgkeel.core.errors import Refused
from pgkeel.postgres import Connection, load
from pgkeel.schema.field import EncryptedField

__all__ = ["is_there", "require_there"]


def is_there(connection: Connection, field: EncryptedField) -> bool:
    """Return whether a column is in the database, and encrypted."""
    return _type(connection, field, field.column) == "bytea"


def require_there(connection: Connection, fields: Sequence[EncryptedField]) -> None:
    """Refuse to work on columns that the database does not have, or has in clear.

    Raises:
        Refused: One is such; it is named.
    """
    for field in fields:
        for column in (field.column, *((field.digest, field.next_digest) if field.index is not None else ())):
            kind = _type(connection, field, column)
            if kind is None:
                message = f"{field.table_name}.{column} is not in this database, and the models declare it"
                raise Refused(message, hint="`pgkeel migrate up`, or write the migration that adds it")
            if kind != "bytea":
                message = f"{field.table_name}.{column} is {kind} in this database, and encrypted in the models"
                raise Refused(message, hint=f"`pgkeel security encrypt {field.name}` writes the migrations")


def _type(connection: Connection, field: EncryptedField, column: str) -> str | None:
    table = ".".join(f'"{part}"' for part in field.table)
    found: str | None = load(__name__, "column_type").scalar(connection, table=table, column=column)
    return found
