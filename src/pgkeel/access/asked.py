"""A statement that waits for its values: checked once, compiled once a driver."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import BindParameter
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.access.answers import Answer
from pgkeel.access.compiled import Compiled, Expressions, compile_statement
from pgkeel.access.touched import Touched
from pgkeel.access.undecided import Placeholder
from pgkeel.core.errors import UsageError
from pgkeel.postgres import Query

__all__ = ["Asked", "Given", "fitting", "placeholder"]

_PLACE = "given_"  # names of columns are SQLAlchemy's own in INSERT and UPDATE

_GIVES_ROWS = re.compile(
    r"(?:\s|--[^\n]*\n|\()*(?:select|with|values|table|show|explain|fetch|execute|call)\b|.*\breturning\b",
    re.IGNORECASE | re.DOTALL,
)


class Given(msgspec.Struct, frozen=True):
    """What the body of a `@query` function returned.

    Attributes:
        statement: Text, a query of a file, or a statement of SQLAlchemy.
        writes: Tables that it says it writes.
    """

    statement: Any
    writes: tuple[str, ...] | None


class Asked:
    """A statement, its parameters and its answer.

    Attributes:
        name: The function it belongs to, for errors.
        parameters: Its parameters, in the order of the values of each run.
        answer: What its rows become.
        text: Its text with `%(name)s`; None where it is SQLAlchemy's.
        counts: Whether it gives no rows: then how many it touched is the answer.
        touched: What a run of it writes.
    """

    def __init__(self, name: str, parameters: Sequence[str], answer: Answer, given: Given) -> None:
        """Keep what was checked."""
        self.name = name
        self.parameters = tuple(parameters)
        self.answer = answer
        self.text: str | None = _text(given.statement)
        self._expression: Any = given.statement if self.text is None else None
        self.counts = _counts(self.text, self._expression)
        self.touched = _touched(self.text, given)
        self._compiled: dict[int, tuple[Dialect, Compiled[Any]]] = {}

    def values(self, given: Sequence[object]) -> Mapping[str, object]:
        """Return the values by their names."""
        return dict(zip(self.parameters, given, strict=True))

    def compiled(self, dialect: Dialect) -> Compiled[Any]:
        """Return the statement of SQLAlchemy as a driver takes it."""
        known = self._compiled.get(id(dialect))
        if known is None or known[0] is not dialect:
            known = self._compiled[id(dialect)] = (dialect, self._compile(dialect))
        return known[1]

    def numbered(self, dialect: Dialect) -> str:
        """Return its text with `$1 …`, as it is prepared."""
        return self.compiled(dialect).sql if self.text is None else Query(self.text).numbered()[0]

    def _compile(self, dialect: Dialect) -> Compiled[Any]:
        (fixed,), replaced = Expressions((self._expression,)).fixed()
        arrays = {old.key: new for old, new in replaced.items()}
        names = [arrays.get(_PLACE + name, _PLACE + name) for name in self.parameters]
        columns = list(_columns(self._expression))
        into = self.answer.maker([column.name for column in columns]) if columns else dict
        return compile_statement(fixed, names, columns=columns, into=into, dialect=dialect, doing=self.name)

    def used(self) -> set[str]:
        """Return the names of the values that the statement takes."""
        if self.text is not None:
            return set(Query(self.text).numbered()[1])
        found = (each for each in visitors.iterate(self._expression) if isinstance(each, BindParameter) and each.required)
        return {each.key.removeprefix(_PLACE) for each in found}

    def columns(self) -> tuple[str, ...] | None:
        """Return the columns of its rows; None where only the server knows."""
        return None if self.text is not None else tuple(column.name for column in _columns(self._expression))


def placeholder(name: str) -> BindParameter[Any]:
    """Return what stands for a value while a statement is made."""
    return Placeholder(_PLACE + name, required=True)


def fitting(name: str, parameters: Sequence[str], answer: Answer, given: Given) -> Asked:
    """Return a statement that fits its function.

    Raises:
        UsageError: It does not.
    """
    made = Asked(name, parameters, answer, given)
    used = made.used()
    if unknown := used - set(parameters):
        raise UsageError(f"{name} has no parameter {', '.join(sorted(unknown))} for its statement", hint="add it")
    if unused := [each for each in parameters if each not in used]:
        raise UsageError(f"{name}: the statement does not use {', '.join(unused)}", hint="write %(name)s, or leave it out")
    if made.counts:
        return _counting(made, given)
    if (columns := made.columns()) is not None:
        answer.maker(columns)
    return made


def _counting(made: Asked, given: Given) -> Asked:
    if (made.answer.form, made.answer.into) != ("row", int):
        raise UsageError(f"{made.name} gives no rows", hint="-> int for how many it touches, or RETURNING")
    return Asked(made.name, made.parameters, Answer("count", int), given)


def _counts(text: str | None, expression: object) -> bool:
    if text is not None:
        return _GIVES_ROWS.match(text) is None
    return isinstance(expression, UpdateBase) and not _columns(expression)


def _touched(text: str | None, given: Given) -> Touched:
    touched = Touched()
    if text is None:
        touched.statement(given.statement)
    else:
        touched.handwritten(text, given.writes)
    return touched


def _columns(expression: Any) -> Sequence[Any]:  # noqa: ANN401 - a statement
    return tuple(getattr(expression, "exported_columns", ()))


def _text(statement: object) -> str | None:
    if isinstance(statement, Query):
        return statement.text
    if isinstance(statement, str):
        return statement
    if isinstance(statement, ClauseElement) and hasattr(statement, "compile"):
        return None
    raise UsageError(f"a {type(statement).__name__} is no statement", hint="SQL, a Query, or select(…)")
