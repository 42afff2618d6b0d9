"""Full-text search as a model declares it: `__search__ = (Search(("title", "content"), "english"),)`.

Each language has its own expression index, which belongs to the table and which `migrate diff` therefore writes.
"""

import re
from typing import Any

import msgspec
from sqlalchemy import Column, Index, Table, event, text
from sqlalchemy.orm import Mapper

from pgkeel.core.errors import UsageError
from pgkeel.schema.ddl import quoted

__all__ = ["Search", "searches_of"]

_LANGUAGE = re.compile(r"[a-z_][a-z0-9_]*\Z")


class Search(msgspec.Struct, frozen=True):
    """What is searched, and in which language.

    Attributes:
        columns: The names that the searched columns have in the table.
        language: The server's text search configuration: `english`, `german`, `simple` …; psql lists them with `dF`.
    """

    columns: tuple[str, ...]
    language: str = "english"

    def __post_init__(self) -> None:
        """Refuse what is no name.

        Raises:
            UsageError: There are no columns, or the language is not a plain name.
        """
        given: object = self.columns
        if not isinstance(given, tuple) or not given:
            raise UsageError("a search needs a tuple of columns", hint='Search(("title", "content"), "english")')
        if not _LANGUAGE.match(self.language):
            raise UsageError(f"{self.language[:64]!r} is no text search configuration", hint="english, german, simple …")

    def document(self, table: Table) -> str:
        """Return the searched text as SQL: the columns with a space between them, NULL as nothing."""
        return " || ' ' || ".join(_text(table.c[name]) for name in self.columns)

    def vector(self, table: Table) -> str:
        """Return the expression that the index holds, word for word as the design writes it."""
        return f"to_tsvector('{self.language}', {self.document(table)})"


def searches_of(model: type, table: Table) -> dict[str, tuple[Search, str]]:
    """Return language → (search, name of its index): the first is `idx_<table>_search`, others name their language."""
    declared: tuple[Search, ...] = getattr(model, "__search__", ())
    names = (f"idx_{table.name}_search{f'_{search.language}' if place else ''}" for place, search in enumerate(declared))
    return {search.language: (search, name) for search, name in zip(declared, names, strict=True)}


def _text(column: Column[Any]) -> str:
    name = quoted(str(column.name))
    return f"coalesce({name}, '')" if column.nullable else name


@event.listens_for(Mapper, "after_mapper_constructed")
def _add_indexes(mapper: Mapper[Any], model: type) -> None:
    """Give the table of a model that declares searches their indexes."""
    table = mapper.local_table
    if "__search__" not in vars(model) or not isinstance(table, Table):
        return
    known = {index.name for index in table.indexes}
    for search, name in searches_of(model, table).values():
        if name not in known:
            attach: Any = table.append_constraint  # the public way to add any schema item to a table that exists
            attach(Index(name, text(search.vector(table)), postgresql_using="gin"))
