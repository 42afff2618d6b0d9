"""Conditions that columns do not bring themselves: inside of JSON, and words or similar words inside of texts."""

from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, cast, func
from sqlalchemy.dialects.postgresql import JSONPATH

from pgkeel.core.errors import UsageError

__all__ = ["contains", "json_text", "matches_path", "similar", "starts_with"]

Column = ColumnElement[Any] | Any


def contains(column: Column, text: str) -> ColumnElement[bool]:
    """Return whether a text contains another one, in any case; `%` and `_` mean themselves.

    A trigram index serves it: `CREATE INDEX … USING gin (title gin_trgm_ops)`.
    """
    found: ColumnElement[bool] = column.ilike(f"%{_plain(text)}%", escape="\\")
    return found


def starts_with(column: Column, text: str) -> ColumnElement[bool]:
    """Return whether a text starts with another one; `%` and `_` mean themselves.

    An index with `text_pattern_ops` serves it, a trigram index too.
    """
    found: ColumnElement[bool] = column.like(f"{_plain(text)}%", escape="\\")
    return found


def similar(column: Column, text: str) -> ColumnElement[bool]:
    """Return whether a text has a word like this one (`pg_trgm`, which must be installed): what one meant when one mistyped.

    A trigram index serves it; how alike is enough says `pg_trgm.word_similarity_threshold`.
    """
    return bindparam(None, text, Text, unique=True).op("<%", is_comparison=True)(column)


def json_text(column: Column, *path: str | int) -> ColumnElement[Any]:
    """Return the value at a path inside of JSON as text: `json_text(Post.metadata_, "author", "name") == "Ada"`."""
    if not path:
        raise UsageError("a path has at least one step", hint='json_text(Post.metadata_, "author", "name")')
    found: ColumnElement[Any] = func.jsonb_extract_path_text(column, *map(str, path), type_=Text)
    return found


def matches_path(column: Column, path: str) -> ColumnElement[bool]:
    """Return whether a JSON path finds something: `matches_path(Post.metadata_, '$.tags[*] ? (@ == "sql")')`.

    A GIN index on the column serves it. A path that does not fit the document finds nothing.
    """
    return column.op("@?", is_comparison=True)(cast(bindparam(None, path, Text, unique=True), JSONPATH))


def _plain(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
