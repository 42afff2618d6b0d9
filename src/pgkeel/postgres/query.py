"""Load SQL from the files beside a module and run it: values as parameters, names through the driver's quoting.

A file holds one query with `%(value)s` parameters and `{name}` identifiers; a literal percent sign is written `%%`.
Line 1 is a comment that says what one row means; a utility statement says `-- utility: …` there.
"""

import re
from functools import cache
from importlib import resources
from typing import Any, Self

import psycopg
from psycopg import sql

from pgkeel.core.errors import UsageError
from pgkeel.postgres.connection import Connection, Row

__all__ = ["Query", "load"]

_NAME = re.compile(r"\{([a-z_]+)\}")
_VALUE = re.compile(r"%\(([a-z_]+)\)s|%%")


@cache
def load(module: str, name: str) -> "Query":
    """Return the query in `sql/NAME.sql` beside a module; pass `__name__`.

    Raises:
        FileNotFoundError: There is no such file: a mistake in pgkeel, found by its tests.
    """
    package = module.rpartition(".")[0]
    text = resources.files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
    return Query(text)


class Query:
    """One SQL statement that came from a file."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        """Keep the text as it stands in the file; nothing outside this module may build one from values."""
        self.text = text

    def named(self, **names: sql.Composable) -> Self:
        """Return the query with its `{name}` parts filled in: identifiers, lists of them, and literals of utility statements."""
        return type(self)(_NAME.sub(lambda match: names[match[1]].as_string(None).replace("%", "%%"), self.text))

    def rows(self, connection: Connection, **values: object) -> list[Row]:
        """Run it and return all rows."""
        return self._executed(connection, values).fetchall()

    def row(self, connection: Connection, **values: object) -> Row | None:
        """Run it and return the first row, or None."""
        return self._executed(connection, values).fetchone()

    def scalar(self, connection: Connection, **values: object) -> Any:  # noqa: ANN401 - a column's value
        """Run it and return the first column of the first row, or None."""
        row = self.row(connection, **values)
        return next(iter(row.values())) if row else None

    def run(self, connection: Connection, **values: object) -> int:
        """Run it and return how many rows it touched."""
        return self._executed(connection, values).rowcount

    def _executed(self, connection: Connection, values: dict[str, object]) -> psycopg.Cursor[Row]:
        try:
            return connection.execute(self.statement, values)
        except (psycopg.DataError, UnicodeEncodeError) as err:
            if isinstance(err, psycopg.Error) and err.sqlstate is not None:
                raise
            raise UsageError("a value cannot be a text of PostgreSQL", hint="leave out NUL and halves of characters") from None

    @property
    def plain(self) -> str:
        """The statement as a person types it: without line 1's comment, percent signs single."""
        return self.text.partition("\n")[2].strip().replace("%%", "%")

    @property
    def statement(self) -> sql.SQL:
        """The psycopg form."""
        return sql.SQL(self.text)

    @property
    def copying(self) -> sql.SQL:
        """The psycopg form of a COPY, which takes no values: percent signs single."""
        return sql.SQL(self.plain)

    def numbered(self) -> tuple[str, tuple[str, ...]]:
        """Return the asyncpg form, `$1, $2 …`, and the value names in that order."""
        order: list[str] = []

        def place(match: re.Match[str]) -> str:
            if match[1] is None:
                return "%"
            if match[1] not in order:
                order.append(match[1])
            return f"${order.index(match[1]) + 1}"

        text = _VALUE.sub(place, self.text)
        return text, tuple(order)
