"""Full-text statements: through the index that the model declares, ranked, with the places of the words."""

import html
import re
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Float, Select, Text, bindparam, func, literal_column, select

from pgkeel.access.shape import Shape
from pgkeel.access.statements import Bound, Statements
from pgkeel.core.errors import UsageError
from pgkeel.schema.search import Search

__all__ = ["Hit", "declared", "hits", "search"]

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
_START, _STOP = "\x02", "\x03"
_HEADLINE = f'StartSel="{_START}", StopSel="{_STOP}", MaxFragments=2, MaxWords=25, MinWords=8, FragmentDelimiter=" … "'
_WORD = re.compile(r"\w+")


class Hit(msgspec.Struct, Generic[R_co], frozen=True):
    """A row that was found.

    Attributes:
        row: The row.
        rank: How well it fits, the higher the better; comparable within one search only.
        headline: The words in their surroundings as safe HTML: the text escaped, the words inside `<mark>`.
    """

    row: R_co
    rank: float
    headline: str


def declared(shape: Shape[Any], language: str | None) -> tuple[Search, str]:
    """Return the search of a model in a language, the first one when none is said, and the name of its index.

    Raises:
        UsageError: The model declares none, or not in this language.
    """
    known = shape.searches
    if not known:
        raise UsageError(
            f"{shape.name} declares no full-text search", hint='__search__ = (Search(("title", "content"), "english"),)'
        )
    if language is not None and language not in known:
        raise UsageError(f"{shape.name} is not searched in {language[:64]!r}", hint=f"one of {', '.join(known)}")
    return known[language or next(iter(known))]


def search(
    statements: Statements[R],
    wanted: Search,
    words: str,
    limit: int,
    conditions: Sequence[ColumnElement[bool]],
    *,
    prefix: bool,
    with_deleted: bool,
) -> "Bound[R]":
    """Return rows whose text matches, best first."""

    def build(fixed: list[Any]) -> Select[Any]:
        matched, rank = _matched(statements, wanted, prefix=prefix)
        chosen = statements.rows([matched, *fixed, *statements.scope(with_deleted)])
        return chosen.order_by(rank.desc(), *statements.shape.primary).limit(bindparam("rows"))

    key = ("search", wanted, prefix, with_deleted)
    return statements.filtered(key, conditions, build, verb="search", named=_named(words, limit, prefix=prefix))


def hits(
    statements: Statements[R],
    wanted: Search,
    words: str,
    limit: int,
    conditions: Sequence[ColumnElement[bool]],
    *,
    prefix: bool,
    with_deleted: bool,
) -> "Bound[Hit[R]]":
    """Return rows with rank and headline; headlines are made of the rows of the answer only."""
    shape = statements.shape
    rank, headline = literal_column("search_rank", Float), literal_column("search_headline", Text)

    def build(fixed: list[Any]) -> Select[Any]:
        matched, ranked = _matched(statements, wanted, prefix=prefix)
        inner = statements.rows([matched, *fixed, *statements.scope(with_deleted)]).add_columns(ranked.label("search_rank"))
        best = inner.order_by(ranked.desc(), *shape.primary).limit(bindparam("rows")).subquery("found")
        document: ColumnElement[Any] = literal_column(wanted.document(shape.table))
        shown = func.ts_headline(
            _language(wanted), document, _query(wanted, prefix=prefix), bindparam("options", _HEADLINE, Text)
        )
        outer = select(*(best.c[column.name] for column in shape.columns), rank, shown.label("search_headline"))
        return outer.order_by(rank.desc(), *(best.c[column.name] for column in shape.primary))

    return statements.filtered(
        ("hits", wanted, prefix, with_deleted),
        conditions,
        build,
        verb="search_hits",
        named=_named(words, limit, prefix=prefix),
        columns=lambda _: [*shape.columns, rank, headline],
        into=lambda *values: Hit(shape.row(*values[:-2]), values[-2], _marked(values[-1])),
    )


def _matched(statements: Statements[Any], wanted: Search, *, prefix: bool) -> tuple[ColumnElement[bool], ColumnElement[Any]]:
    """Return the condition, and how well a row meets it."""
    vector: ColumnElement[Any] = literal_column(wanted.vector(statements.shape.table))
    query = _query(wanted, prefix=prefix)
    return vector.op("@@", is_comparison=True)(query), func.ts_rank(vector, query)


def _query(wanted: Search, *, prefix: bool) -> ColumnElement[Any]:
    read = func.to_tsquery if prefix else func.websearch_to_tsquery
    return read(_language(wanted), bindparam("text", type_=Text))


def _language(wanted: Search) -> ColumnElement[Any]:
    return literal_column(f"'{wanted.language}'")


def _named(words: str, limit: int, *, prefix: bool) -> dict[str, object]:
    return {"text": _beginnings(words) if prefix else words, "rows": limit}


def _beginnings(words: str) -> str:
    """Return a query for rows with all the words, the last of which may have just begun."""
    *whole, last = _WORD.findall(words) or [""]
    return " & ".join([*whole, f"{last}:*"]) if last else ""


def _marked(headline: str) -> str:
    return html.escape(headline).replace(_START, "<mark>").replace(_STOP, "</mark>")
