"""What is known of a table on both sides: columns, primary key, unique keys, and what points where."""

import re
from collections.abc import Collection, Sequence

import msgspec
from psycopg import sql

from pgkeel.core.errors import NotFound, Refused, UsageError
from pgkeel.postgres import Connection, Query, identifier, load

__all__ = [
    "NEVER",
    "Column",
    "Link",
    "NoPrimaryKey",
    "Shape",
    "Table",
    "Unique",
    "carry",
    "names",
    "read_shape",
    "require_key",
    "words",
]


_DROPPED = "a table that was dropped comes back with `pgkeel recover --before`"
_LOOK = "use `pgkeel recover beside` and look"
_WORD = r'[A-Za-z_][\w$]*|"(?:[^"]|"")+"'
_NAME = re.compile(rf"(?:({_WORD})\.)?({_WORD})")


class NoPrimaryKey(Refused):
    """Rows of a table without a primary key cannot be told apart."""

    code = "no_primary_key"


class Table(msgspec.Struct, frozen=True, order=True):
    """A table's name.

    Attributes:
        schema: Its schema.
        name: Its own name.
    """

    schema: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "Table":
        """Return the table of `posts`, `app.posts` or `"App"."Posts"`.

        Raises:
            UsageError: It is no table's name.
        """
        match = _NAME.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"{text!r} is no table's name", hint='write posts, app.posts or "App"."Posts"')
        parts = [part[1:-1].replace('""', '"') if part.startswith('"') else part.lower() for part in match.groups() if part]
        return cls(parts[0] if len(parts) == 2 else "public", parts[-1])

    @property
    def quoted(self) -> sql.Identifier:
        """The name as a statement needs it."""
        return identifier(self.schema, self.name)

    def __str__(self) -> str:
        """Leave `public` out, as people do."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


NEVER = frozenset({Table("public", "sessions"), Table("public", "user_tokens")})  # a login that ended must not live again


class Column(msgspec.Struct, frozen=True):
    """A column.

    Attributes:
        name: Its name.
        type: Its type as SQL writes it.
        is_generated: Whether the server reckons it.
        is_fixed: Whether only an INSERT may say its value (`GENERATED ALWAYS AS IDENTITY`).
        is_parted: Whether its table is partitioned.
        is_logged: Whether its table is written to the WAL.
    """

    name: str
    type: str
    is_generated: bool
    is_fixed: bool
    is_parted: bool
    is_logged: bool


class Unique(msgspec.Struct, frozen=True):
    """A unique index on whole columns.

    Attributes:
        name: Its name.
        columns: In its order.
        is_primary: Whether it is the primary key's.
        is_deferrable: Whether it may be violated until a transaction ends.
    """

    name: str
    columns: tuple[str, ...]
    is_primary: bool
    is_deferrable: bool


class Link(msgspec.Struct, frozen=True):
    """A foreign key.

    Attributes:
        name: Its name.
        child: The table that points.
        columns: With which columns.
        parent: The table that is pointed to.
        keys: Its columns.
        on_delete: `a`, `r`, `c`, `n` or `d`, as in `pg_constraint.confdeltype`.
        emptied: Which of its columns SET NULL empties.
    """

    name: str
    child: Table
    columns: tuple[str, ...]
    parent: Table
    keys: tuple[str, ...]
    on_delete: str
    emptied: tuple[str, ...] = ()


class Shape(msgspec.Struct, frozen=True):
    """A table as the live database has it and as the past one had it.

    Attributes:
        table: Its name.
        key: Columns of the primary key.
        retyped: Those of them that have another type now, with it.
        columns: What both have and may be written, in the live order.
        fixed: Those of them that no UPDATE can write.
        sealed: Those of them that were texts and are `bytea` now: a column that was encrypted since.
        added: Columns that only the live one has; they get their defaults.
        dropped: Columns that only the past one has.
        uniques: Of the live table, the primary key left out.
        deferrable: Of the live table, the primary key included: those that no `ON CONFLICT` can look at.
        parents: Foreign keys of the live table between columns that the past one had, too.
        children: Such foreign keys of others that point to it.
        is_parted: Whether it is partitioned on one side, so that what lies in other tables is its own.
    """

    table: Table
    key: tuple[str, ...]
    retyped: dict[str, str]
    columns: tuple[str, ...]
    fixed: tuple[str, ...]
    sealed: tuple[str, ...]
    added: tuple[str, ...]
    dropped: tuple[str, ...]
    uniques: tuple[Unique, ...]
    deferrable: tuple[Unique, ...]
    parents: tuple[Link, ...]
    children: tuple[Link, ...]
    is_parted: bool

    @property
    def rows(self) -> sql.Composable:
        """The table as its own rows are read: its partitions' are its own, those of tables that inherit from it are not."""
        return self.table.quoted if self.is_parted else sql.SQL("ONLY {}").format(self.table.quoted)

    def key_then(self, of: str = "") -> sql.Composed:
        """Return the columns of the key as the past has them, in the types of today."""
        then = ((names([name], of=of), self.retyped.get(name)) for name in self.key)
        return sql.SQL(", ").join(sql.SQL(f"CAST({{}} AS {now})").format(name) if now else name for name, now in then)


def require_key(live: Connection, table: Table) -> tuple[str, ...]:
    """Return the columns of a table's primary key, without which lost rows cannot be told from others.

    Raises:
        Refused: Its rows never come back, or are kept nowhere.
        NotFound: The database has no such table.
        NoPrimaryKey: It has no primary key.
    """
    if table in NEVER:
        raise Refused(f"rows of {table} never come back: a login that has ended must not live again", hint="log in again")
    columns = _columns(live, table)
    if not columns:
        raise NotFound(f"the database has no table {table}", hint=_DROPPED)
    if not columns[0].is_logged:
        raise Refused(f"{table} is unlogged: no backup and no WAL has its rows", hint="ALTER TABLE … SET LOGGED keeps later ones")
    key = tuple(load(__name__, "primary_key").scalar(live, schema=table.schema, name=table.name) or ())
    if not key:
        raise NoPrimaryKey(f"{table} has no primary key, so its rows cannot be told apart", hint=_LOOK)
    return key


def read_shape(live: Connection, past: Connection, table: Table) -> Shape:
    """Return what both databases say about a table.

    Raises:
        NotFound: One of them has no such table.
        NoPrimaryKey: The live one has no primary key, or the past one lacks its columns.
    """
    key = require_key(live, table)
    now, then = (_columns(side, table) for side in (live, past))
    if not then:
        raise NotFound(f"at that time there was no table {table}", hint=_DROPPED)
    before = {one.name for one in then}
    if not before.issuperset(key):
        raise NoPrimaryKey(f"{table} has no primary key that both sides know", hint=_LOOK)
    found = load(__name__, "foreign_keys").rows(live, schema=table.schema, name=table.name)
    links = [link for link in (msgspec.convert(row, Link) for row in found) if _was_there(past, link)]
    unique = [
        msgspec.convert(row, Unique) for row in load(__name__, "unique_keys").rows(live, schema=table.schema, name=table.name)
    ]
    return Shape(
        table,
        key,
        _retyped(key, now, then),
        _writable(table, key, now, before),
        tuple(one.name for one in now if one.is_fixed),
        _sealed_since(now, then),
        tuple(one.name for one in now if one.name not in before),
        tuple(sorted(before - {one.name for one in now})),
        tuple(one for one in unique if not one.is_primary),
        tuple(one for one in unique if one.is_deferrable),
        tuple(link for link in links if link.child == table),
        tuple(link for link in links if link.parent == table),
        now[0].is_parted or then[0].is_parted,
    )


def names(columns: Sequence[str], *, of: str = "") -> sql.Composed:
    """Return a list of columns, `a, b`, or with an alias `t.a, t.b`."""
    return sql.SQL(", ").join(identifier(of, column) if of else identifier(column) for column in columns)


def words(condition: str) -> sql.SQL:
    """Return the operator's own condition as a part of a statement; it can select other rows, and nothing else.

    A comment at its end ends with it.
    """
    return sql.SQL(f"{condition}\n" if "--" in condition else condition)


def carry(source: Connection, out: Query, target: Connection, into: Query) -> None:
    """Run a COPY on one side into a COPY on the other."""
    with source.cursor() as from_, target.cursor() as to, from_.copy(out.copying) as read, to.copy(into.copying) as write:
        for block in read:
            write.write(block)


def _writable(table: Table, key: Sequence[str], now: Sequence[Column], before: Collection[str]) -> tuple[str, ...]:
    found = tuple(one.name for one in now if one.name in before and not one.is_generated)
    reckoned = next((name for name in key if name not in found), None)
    if reckoned is not None:
        raise NoPrimaryKey(f"{table}.{reckoned} of its primary key is reckoned by the server, and cannot be put back", hint=_LOOK)
    return found


def _retyped(key: Sequence[str], now: Sequence[Column], then: Sequence[Column]) -> dict[str, str]:
    """Return the columns of a key that have another type now; keys are compared as those of today."""
    were = {one.name: one.type for one in then}
    return {one.name: one.type for one in now if one.name in key and were[one.name] != one.type}


def _was_there(past: Connection, link: Link) -> bool:
    """Return whether the past had both ends of a foreign key of today."""
    ends = ((link.child, link.columns), (link.parent, link.keys))
    return all({one.name for one in _columns(past, table)}.issuperset(columns) for table, columns in ends)


def _sealed_since(now: Sequence[Column], then: Sequence[Column]) -> tuple[str, ...]:
    were = {one.name: one.type for one in then}
    return tuple(one.name for one in now if one.type == "bytea" and were.get(one.name, "bytea") != "bytea")


def _columns(side: Connection, table: Table) -> list[Column]:
    return [msgspec.convert(row, Column) for row in load(__name__, "columns").rows(side, schema=table.schema, name=table.name)]
