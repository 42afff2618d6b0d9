"""Which rows a transaction has written, for those who must know before it commits: the cache above all."""

import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

import sqlalchemy
from sqlalchemy import Table, TextClause, TextualSelect
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ClauseElement

from pgkeel.access.cascades import carried_columns, dependents_of
from pgkeel.access.tagging import Value, values_of_instance

__all__ = ["Touched"]

Key = tuple[object, ...]
_READING = re.compile(r"(select|with|values|table|show|explain)\b")
_WRITING = re.compile(r"\b(insert|update|delete|merge|copy|call|do)\b")
_LOCKS = re.compile(r"\bfor\s+(no\s+key\s+)?update\b")


class Touched:
    """What was written so far.

    Attributes:
        rows: Table name → primary keys of the rows that were changed or deleted, or inserted with a known key.
        tables: Tables in which rows were written; those of `rows` are among them.
        values: Table → columns and values of written rows, as they were and as they are, for the columns that its model names.
        vague: Tables in which rows were written whose values are not known.
        whole: Tables of which any row may have changed: bulk statements, and hand-written SQL that says so.
        is_unknown: Whether hand-written SQL ran that may write and does not say what: anything may have changed.
    """

    __slots__ = ("is_unknown", "rows", "tables", "vague", "values", "whole")

    def __init__(self) -> None:
        """Nothing yet."""
        self.rows: dict[str, set[Key]] = {}
        self.tables: set[str] = set()
        self.values: dict[str, set[Value]] = {}
        self.vague: set[str] = set()
        self.whole: set[str] = set()
        self.is_unknown = False

    def __bool__(self) -> bool:
        """Return whether anything was written."""
        return bool(self.tables) or self.is_unknown

    def add(self, other: "Touched") -> None:
        """Note all that another has noted."""
        for table, keys in other.rows.items():
            self.rows.setdefault(table, set()).update(keys)
        for table, values in other.values.items():
            self.values.setdefault(table, set()).update(values)
        self.vague |= other.vague
        self.tables |= other.tables
        self.whole |= other.whole
        self.is_unknown = self.is_unknown or other.is_unknown

    def row(self, table: str, *key: object, values: Collection[Value] | None = None) -> None:
        """Note one row by its primary key, and the values that its model names where they are known."""
        self.table(table, values=values)
        self.rows.setdefault(table, set()).add(key)

    def table(self, table: str, *, values: Collection[Value] | None = None) -> None:
        """Note that rows came into a table, whose keys are not known: nobody has read them yet."""
        self.tables.add(table)
        if values is None:
            self.vague.add(table)
        else:
            self.values.setdefault(table, set()).update(values)

    def every_row(self, table: str) -> None:
        """Note that any row of a table may have changed."""
        self.tables.add(table)
        self.whole.add(table)

    def cascade(self, table: Table) -> None:
        """Note what goes with rows of a table: any row of those that reference it."""
        for other in dependents_of(table):
            self.every_row(other)

    def gone(self, deleted: Iterable[object], changed: Iterable[object]) -> None:
        """Note what goes with ORM instances that a flush deletes, hides, shows again or gives another key."""
        for instance in deleted:
            for table in _mapper_of(instance).tables:
                self.cascade(table)
        for instance in changed:
            for table in _mapper_of(instance).tables:
                if _has_turned(instance, table):
                    self.cascade(table)

    def instances(self, written: Iterable[object]) -> None:
        """Note ORM instances that a flush has written, with all tables that their class maps, and their links to others."""
        for instance in written:
            mapper, values = _mapper_of(instance), values_of_instance(instance)
            state: Any = sqlalchemy.inspect(instance)
            for table in mapper.tables:
                if "id" in table.c and [one.name for one in table.primary_key] != ["id"]:  # its rows are known by their id alone
                    self.table(table.fullname, values=values) if state.pending else self.every_row(table.fullname)
                    continue
                self.row(table.fullname, *mapper.primary_key_from_instance(instance), values=values)
                if state.identity:  # as it was, where the key changes
                    self.row(table.fullname, *state.identity, values=values)
            for name, links in _links_of(mapper):
                if state.attrs[name].history.has_changes():
                    self.every_row(links)

    def statement(self, statement: ClauseElement) -> None:
        """Note what an INSERT, UPDATE or DELETE of SQLAlchemy writes, also inside of another; a text may write anything."""
        if isinstance(statement, TextClause):
            self.handwritten(statement.text, None)
        for part in visitors.iterate(statement):
            self._part(part)

    def executed(self, text: str, statement: ClauseElement | None) -> None:
        """Note what SQLAlchemy sends.

        Args:
            text: The statement as it is sent.
            statement: What it was made of; None where it was text.
        """
        if statement is None or isinstance(statement, TextClause | TextualSelect):
            self.handwritten(text, None)
        elif not text.startswith("SELECT"):  # else there is no CTE, and nothing that writes
            self.statement(statement)

    def _part(self, part: object) -> None:
        match part:
            case sqlalchemy.Insert(table=Table() as table):
                is_upsert = isinstance(part, postgresql.Insert) and part._post_values_clause is not None  # noqa: SLF001 - says ON CONFLICT
                (self.every_row if is_upsert else self.table)(table.fullname)
                if is_upsert and carried_columns(table):
                    self.cascade(table)
            case sqlalchemy.Update(table=Table() as table) | sqlalchemy.Delete(table=Table() as table):
                self.every_row(table.fullname)
                if isinstance(part, sqlalchemy.Delete) or carried_columns(table):
                    self.cascade(table)
            case _:
                return

    def handwritten(self, text: str, tables: Sequence[str] | None) -> None:
        """Note what hand-written SQL says it writes; None means that it does not say."""
        for table in tables or ():
            self.every_row(table)
        self.is_unknown = self.is_unknown or (tables is None and not reads_only(text))


def _mapper_of(instance: object) -> Any:  # noqa: ANN401 - SQLAlchemy's mappers are known by their class only
    return sqlalchemy.inspect(type(instance))


@lru_cache(maxsize=1_000)
def _links_of(mapper: Any) -> tuple[tuple[str, str], ...]:  # noqa: ANN401 - as above
    """Return the relationships that write rows of a table between two others, which no object stands for."""
    written = (one for one in mapper.relationships if one.secondary is not None and not one.viewonly)
    return tuple((one.key, one.secondary.fullname) for one in written)


def _has_turned(instance: object, table: Table) -> bool:
    """Return whether a column has another value that foreign keys or soft deletes carry on."""
    state: Any = sqlalchemy.inspect(instance)
    carried = carried_columns(table)
    names = [one.key for one in state.mapper.column_attrs if one.columns[0].name in carried]
    return any(state.attrs[name].history.has_changes() for name in names)


def reads_only(sql: str) -> bool:
    """Return whether a text cannot write a row: it begins with a reading word and holds no writing one.

    What a function does that it calls is not seen.
    """
    text = sql.lower()
    first = next((word for line in text.splitlines() for word in line.partition("--")[0].split()), "")
    return _READING.match(first.lstrip("(")) is not None and _WRITING.search(_LOCKS.sub("", text)) is None
