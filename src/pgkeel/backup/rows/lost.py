"""Which rows the past has and the present lacks: of one table, of what they point to, and of what went with them."""

from collections.abc import Iterable, Iterator

import psycopg
from psycopg import sql

from pgkeel.backup.rows.again import Deletions, collect_again
from pgkeel.backup.rows.condition import wrong_condition
from pgkeel.backup.rows.shape import NEVER, Link, Shape, Table, carry, names, read_shape, words
from pgkeel.core.errors import Refused
from pgkeel.postgres import Connection, Query, identifier, load

__all__ = ["Lost"]


class Lost:
    """The lost rows by table, kept as keys in temporary tables of the past server, which nobody else uses.

    Attributes:
        shapes: What is known of each table that was looked at.
        left_out: Tables whose rows are never put back.
        warnings: What could not be told.
    """

    def __init__(self, live: Connection, past: Connection, deletions: Deletions) -> None:
        """Nothing is read yet; temporary tables of an earlier search in this session go."""
        load(__name__, "discard").run(past)
        self._live, self._past, self._deletions = live, past, deletions
        self.shapes: dict[Table, Shape] = {}
        self.left_out: set[Table] = set()
        self.warnings: list[str] = []
        self._asked: set[Table] = set()

    def find(self, table: Table, where: str) -> None:
        """Collect what a table lost, what those rows need, and what the cascade took; and whose key lives again.

        Raises:
            UsageError: The condition is none.
        """
        self._tell_heirs(self.shape(table))
        self._take_where(table, "lost_rows", where)
        self._take_where(table, "again_rows", where, again=self.again(table))
        self._parents(table)
        self._children(table)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that lost rows, what is pointed to before what points."""
        return tuple(_ordered({table: self.shapes[table] for table in self.shapes if self.count(table)}))

    @property
    def rewritten(self) -> tuple[Table, ...]:
        """The tables of which rows were deleted whose keys live."""
        return tuple(table for table in self.shapes if self._count(self.told(table)))

    def count(self, table: Table) -> int:
        """Return how many rows of a table are lost."""
        return self._count(self.keys(table))

    def shape(self, table: Table) -> Shape:
        """Return what is known of a table, its live keys brought over first when it is new."""
        if table not in self.shapes:
            self.shapes[table] = shape = read_shape(self._live, self._past, table)
            self._bring_keys(shape)
        return self.shapes[table]

    def has_rows(self, link: Link) -> bool:
        """Return whether rows of the table that points can be told apart and come back; else say that they are left out."""
        if link.child in NEVER:
            self.left_out.add(link.child)
            return False
        fault = self._fault(link.child)
        if fault and self._points(link):
            self.left_out.add(link.child)
            self._warn(f"{fault}: those that pointed to {link.parent} are left out")
        return not fault

    def keys(self, table: Table) -> sql.Identifier:
        """Return the temporary table of a table's lost keys."""
        return self._named("lost", table)

    def told(self, table: Table) -> sql.Identifier:
        """Return the temporary table of keys that live, whose deleted rows were asked for."""
        return self._named("told", table)

    def again(self, table: Table) -> sql.Identifier:
        """Return the temporary table of all keys that live and whose row was deleted; who asks first has that looked for."""
        shape, again = self.shape(table), self._named("again", table)
        if table not in self._asked:
            self._asked.add(table)
            here = self._named("here", table)
            told = collect_again(self._live, self._past, shape, self._deletions, here=here, again=again)
            for one in told:
                self._warn(one)
        return again

    def _warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def _named(self, word: str, table: Table) -> sql.Identifier:
        return identifier("pg_temp", f"{word}_{list(self.shapes).index(table)}")

    def _count(self, keys: sql.Identifier) -> int:
        return int(load(__name__, "count_lost").named(lost=keys).scalar(self._past))

    def _bring_keys(self, shape: Shape) -> None:
        for word in ("here", "lost", "again", "told"):
            made = self._named(word, shape.table)
            load(__name__, "make_keys").named(made=made, table=shape.rows, key=shape.key_then()).run(self._past)
        out, into = load(__name__, "copy_keys_out").named(table=shape.rows, key=names(shape.key)), load(__name__, "copy_keys_in")
        here = self._named("here", shape.table)
        carry(self._live, out, self._past, into.named(made=here))
        load(__name__, "analyze_keys").named(made=here).run(self._past)

    def _take(self, table: Table, query: Query, **parts: sql.Composable) -> int:
        shape = self.shape(table)
        fields = {"table": shape.rows, "old_key": shape.key_then("old")}
        kept = {"lost": self.keys(table), "here": self._named("here", table), "told": self.told(table)}
        return int(query.named(**fields, **kept, **parts).run(self._past))

    def _take_where(self, table: Table, name: str, where: str, **parts: sql.Composable) -> None:
        try:
            self._take(table, load(__name__, name), where=words(where), **parts)
        except (psycopg.ProgrammingError, psycopg.DataError) as err:
            raise wrong_condition(where, err) from err

    def _tell_heirs(self, shape: Shape) -> None:
        heirs = load(__name__, "heirs").rows(self._past, schema=shape.table.schema, name=shape.table.name)
        if heirs and not shape.is_parted:
            found = [str(Table(**row)) for row in heirs]
            self._warn(f"rows of {', '.join(found)}, which inherit from {shape.table}, are none of its own: --table {found[0]}")

    def _parents(self, table: Table) -> None:
        for link in self.shape(table).parents:
            if not self._fault(link.parent) and self._join(link.parent, "lost_parents", link, self.keys(table)):
                self._parents(link.parent)

    def _children(self, table: Table) -> None:
        for link in self.shape(table).children:
            if link.on_delete != "c" or not self.has_rows(link):
                continue
            self._tell_children(table, link)
            if self._join(link.child, "lost_children", link, self.keys(table)):
                self._parents(link.child)
                self._children(link.child)

    def _tell_children(self, table: Table, link: Link) -> None:
        """Collect what went with lost rows and whose key lives again; where none of those keys lives the WAL is not asked."""
        if self.count(table) and self._join(link.child, "again_children", link, self.keys(table)):
            again = self.again(link.child)
            load(__name__, "keep_again").named(told=self.told(link.child), again=again).run(self._past)

    def _fault(self, table: Table) -> str:
        """Return why the rows of a table cannot come back, or ""; of a parent that is said by the rows that miss it."""
        try:
            self.shape(table)
        except Refused as err:
            return err.message
        return ""

    def _points(self, link: Link) -> bool:
        parent = self.shape(link.parent)
        query = load(__name__, "points").named(
            table=link.child.quoted,
            other=parent.rows,
            known=self.keys(link.parent),
            known_key=names(parent.key),
            other_key=parent.key_then("other"),
            mine=names(link.columns, of="old"),
            theirs=names(link.keys, of="other"),
        )
        return query.row(self._past) is not None

    def _join(self, table: Table, name: str, link: Link, known: sql.Identifier) -> int:
        """Collect rows of a table by way of a foreign key to or from keys that are known; return how many are new."""
        other = link.child if table == link.parent else link.parent
        mine, theirs = (link.keys, link.columns) if table == link.parent else (link.columns, link.keys)
        return self._take(
            table,
            load(__name__, name),
            other=self.shape(other).rows,
            known=known,
            known_key=names(self.shape(other).key),
            other_key=self.shape(other).key_then("other"),
            mine=names(mine, of="old"),
            theirs=names(theirs, of="other"),
        )


def _ordered(shapes: dict[Table, Shape]) -> Iterator[Table]:
    """Yield parents before children; in a ring any order."""
    done: set[Table] = set()

    def visit(table: Table, above: frozenset[Table]) -> Iterator[Table]:
        if table in done or table in above:
            return
        parents: Iterable[Table] = (link.parent for link in shapes[table].parents if link.parent in shapes)
        for parent in parents:
            yield from visit(parent, above | {table})
        if table not in done:
            done.add(table)
            yield table

    for table in shapes:
        yield from visit(table, frozenset())
