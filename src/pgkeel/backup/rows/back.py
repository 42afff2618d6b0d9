"""Put lost rows back into the live database, as they were, in one transaction; whatever lives there now stays untouched."""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import sql

from pgkeel.backup.rows.lost import NEVER, Lost
from pgkeel.backup.rows.outcome import Conflict, RowsBack
from pgkeel.backup.rows.shape import Link, Shape, Table, carry, names, words
from pgkeel.core.errors import Refused, UsageError
from pgkeel.postgres import Connection, identifier, load

__all__ = ["put_back"]


def put_back(
    live: Connection,
    past: Connection,
    table: Table,
    *,
    where: str = "true",
    changed: bool = False,
    dry_run: bool = False,
    script: bool = False,
) -> RowsBack:
    """Put back the rows of a table that the past has and the live database has not.

    Missing parents come first, then the rows, those that the cascade took, and the references that were set to NULL.
    Sessions and mailed tokens are left out: a login that has ended must not live again.

    Args:
        live: The database to write to.
        past: A copy of it as it was, which nobody else uses; temporary tables are made there.
        table: Whose rows.
        where: Which of them, in SQL, as they were.
        changed: Whether rows that live but differ are set back too; asks for a `where`.
        dry_run: Do it and take it back.
        script: Whether to return the statements as well.

    Raises:
        NotFound: One side has no such table.
        NoPrimaryKey: Its rows cannot be told apart.
        UsageError: `changed` without `where`.
    """
    if changed and where == "true":
        raise UsageError("setting rows back needs to know which", hint="add --where, for example --where \"status = 'draft'\"")
    lost = Lost(live, past)
    lost.find(table, where)
    with live.transaction(force_rollback=dry_run):
        work = _Work(live, past, lost)
        for each in lost.tables:
            work.bring(each)
        work.set_conflicts_aside()
        work.bring_references()
        text = tuple(work.script()) if script else ()
        restored = {str(each): work.insert(each) for each in lost.tables}
        restored |= work.refer()
        number = work.set_back(table, where) if changed else 0
        work.require_parents()
    shape = lost.shapes[table]
    return RowsBack(
        str(table),
        lost.count(table),
        number,
        {name: rows for name, rows in restored.items() if rows},
        tuple(work.conflicts),
        tuple(map(str, sorted(lost.left_out))),
        shape.added,
        shape.dropped,
        text,
    )


class _Work:
    """The live side of one transaction: lost rows wait in temporary tables, and those that do not fit leave them."""

    def __init__(self, live: Connection, past: Connection, lost: Lost) -> None:
        self._live, self._past, self._lost = live, past, lost
        self.conflicts: list[Conflict] = []
        self._references: list[tuple[sql.Identifier, Link]] = []

    def bring(self, table: Table) -> None:
        """Copy a table's lost rows over, whole."""
        shape = self._lost.shape(table)
        fields = {"table": table.quoted, "columns": names(shape.columns), "waiting": self._waiting(table)}
        load(__name__, "make_waiting").named(**fields).run(self._live)
        out = load(__name__, "copy_lost_out").named(
            table=table.quoted,
            columns=names(shape.columns, of="old"),
            lost=self._lost.keys(table),
            key=names(shape.key, of="old"),
        )
        carry(self._past, out.statement, self._live, load(__name__, "copy_waiting_in").named(**fields).statement)

    def set_conflicts_aside(self) -> None:
        """Take out of the waiting rows those whose key or unique value lives, and then those whose parent is missing."""
        for table in self._lost.tables:
            shape = self._lost.shape(table)
            self._set_aside(shape, "taken", "its key lives again", mine=shape.key)
            for unique in shape.uniques:
                self._set_aside(shape, "taken", f"the value of {unique.name} is taken", mine=unique.columns)
        while any(self._orphans(table, link) for table in self._lost.tables for link in self._lost.shape(table).parents):
            pass

    def insert(self, table: Table) -> int:
        """Put the waiting rows back, past every trigger, and return how many; the foreign keys are proved at the end."""
        shape = self._lost.shape(table)
        fields = {"table": table.quoted, "columns": names(shape.columns), "waiting": self._waiting(table)}
        for link in shape.parents:
            self._hold(table, link)
        quiet = bool(load(__name__, "may_be_quiet").scalar(self._live))
        if quiet:
            load(__name__, "quiet").run(self._live)
        rows = load(__name__, "insert_waiting").named(**fields, key=names(shape.key)).run(self._live)
        if quiet:
            load(__name__, "loud").run(self._live)
        late = int(load(__name__, "count_lost").named(lost=self._waiting(table)).scalar(self._live)) - rows
        if late:
            self.conflicts.append(Conflict(str(table), {}, f"{late} rows were written by somebody else meanwhile"))
        return rows

    def bring_references(self) -> None:
        """Copy over which rows pointed to the lost ones by references that a deletion sets to NULL."""
        for table in self._lost.tables:
            for link in self._lost.shape(table).children:
                if link.on_delete == "n" and link.child not in NEVER:
                    self._bring_references(link)

    def refer(self) -> dict[str, int]:
        """Point again at rows that came back; return how many by `table.column`."""
        return {f"{link.child}.{','.join(link.columns)}": self._refer(waiting, link) for waiting, link in self._references}

    def set_back(self, table: Table, where: str) -> int:
        """Set rows that live but differ back to what they were, and return how many; their version counts on."""
        shape = self._lost.shape(table)
        waiting = identifier("pg_temp", "were")
        fields = {"table": table.quoted, "columns": names(shape.columns), "waiting": waiting}
        load(__name__, "make_waiting").named(**fields).run(self._live)
        out = load(__name__, "copy_were_out").named(**fields, where=words(where))
        carry(self._past, out.statement, self._live, load(__name__, "copy_waiting_in").named(**fields).statement)
        values = tuple(name for name in shape.columns if name not in shape.key and name not in {"version", "updated_at"})
        return (
            load(__name__, "set_back")
            .named(
                table=table.quoted,
                waiting=waiting,
                assignments=_assignments(values),
                now_key=names(shape.key, of="now"),
                then_key=names(shape.key, of="was"),
                now=_texts(values, "now"),
                then=_texts(values, "was"),
            )
            .run(self._live)
        )

    def require_parents(self) -> None:
        """Let the server prove what was put back past its triggers: nothing points to nothing."""
        for table in self._lost.tables:
            for link in self._lost.shape(table).parents:
                fault = self._query("dangling", table, link).row(self._live)
                if fault is not None:
                    raise Refused(
                        f"{table} would point to a missing row of {link.parent}",
                        hint="run it again: somebody deleted it meanwhile",
                    )

    def script(self) -> Iterator[str]:
        """Yield an INSERT for each waiting row."""
        for table in self._lost.tables:
            shape = self._lost.shape(table)
            query = load(__name__, "as_insert").named(
                waiting=self._waiting(table),
                start=sql.Literal(f"INSERT INTO {table.quoted.as_string()} ({names(shape.columns).as_string()}) "),
                values=sql.SQL(", ").join(_quoted(column) for column in shape.columns),
            )
            yield from (str(row["statement"]) for row in query.rows(self._live))
        for waiting, link in self._references:
            query = load(__name__, "as_update").named(
                waiting=waiting,
                child=sql.Literal(link.child.quoted.as_string()),
                assignments=_pairs(link.columns, ", "),
                condition=_pairs(self._lost.shape(link.child).key, " AND "),
                empty=sql.Literal(" AND ".join(f"{identifier(name).as_string()} IS NULL" for name in link.columns)),
                arriving=self._waiting(link.parent),
                mine=names(link.columns, of="waiting"),
                theirs=names(link.keys, of="arriving"),
            )
            yield from (str(row["statement"]) for row in query.rows(self._live))

    def _waiting(self, table: Table) -> sql.Identifier:
        return identifier("pg_temp", f"waiting_{list(self._lost.shapes).index(table)}")

    def _set_aside(self, shape: Shape, name: str, reason: str, *, mine: Sequence[str]) -> int:
        query = load(__name__, name).named(
            table=shape.table.quoted,
            waiting=self._waiting(shape.table),
            mine=names(mine, of="waiting"),
            theirs=names(mine, of="now"),
            key=names(shape.key, of="waiting"),
        )
        return self._note(shape, query.rows(self._live), reason)

    def _orphans(self, table: Table, link: Link) -> int:
        shape = self._lost.shape(table)
        rows = self._query("orphans", table, link).rows(self._live)
        return self._note(shape, rows, f"its row of {link.parent} is not there")

    def _note(self, shape: Shape, rows: Sequence[dict[str, Any]], reason: str) -> int:
        self.conflicts += [Conflict(str(shape.table), {name: str(row[name]) for name in shape.key}, reason) for row in rows]
        return len(rows)

    def _hold(self, table: Table, link: Link) -> None:
        """Keep the rows that are pointed to from being deleted before we commit."""
        self._query("hold_parents", table, link).rows(self._live)

    def _query(self, name: str, table: Table, link: Link) -> Any:  # noqa: ANN401 - a Query
        arriving = link.parent in self._lost.tables
        return load(__name__, name).named(
            waiting=self._waiting(table),
            parent=link.parent.quoted,
            arriving=self._waiting(link.parent) if arriving else link.parent.quoted,
            mine=names(link.columns, of="waiting"),
            theirs=names(link.keys, of="parent"),
            arriving_keys=names(link.keys, of="arriving"),
            key=names(self._lost.shape(table).key, of="waiting"),
        )

    def _bring_references(self, link: Link) -> None:
        waiting = identifier("pg_temp", f"references_{len(self._references)}")
        self._references.append((waiting, link))
        columns = tuple(dict.fromkeys((*self._lost.shape(link.child).key, *link.columns)))
        fields = {"table": link.child.quoted, "columns": names(columns), "waiting": waiting}
        load(__name__, "make_waiting").named(**fields).run(self._live)
        out = load(__name__, "copy_references_out").named(
            child=link.child.quoted,
            parent=link.parent.quoted,
            lost=self._lost.keys(link.parent),
            columns=names(columns, of="old"),
            mine=names(link.columns, of="old"),
            theirs=names(link.keys, of="parent"),
            parent_key=names(self._lost.shape(link.parent).key, of="parent"),
        )
        carry(self._past, out.statement, self._live, load(__name__, "copy_waiting_in").named(**fields).statement)

    def _refer(self, waiting: sql.Identifier, link: Link) -> int:
        key = self._lost.shape(link.child).key
        query = load(__name__, "refer").named(
            child=link.child.quoted,
            waiting=waiting,
            parent=link.parent.quoted,
            assignments=_assignments(link.columns),
            now_key=names(key, of="now"),
            then_key=names(key, of="was"),
            mine=names(link.columns, of="now"),
            then=names(link.columns, of="was"),
            theirs=names(link.keys, of="parent"),
        )
        return query.run(self._live)


def _pairs(columns: Sequence[str], between: str) -> sql.Composed:
    """Return an expression that spells `a = 'its value'` for each column."""
    spelled = (
        sql.SQL("{} || quote_nullable({}::text)").format(
            sql.Literal(f"{identifier(name).as_string()} = "), identifier("waiting", name)
        )
        for name in columns
    )
    return sql.SQL(f" || {sql.Literal(between).as_string()} || ").join(spelled)


def _assignments(columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{} = {}").format(identifier(name), identifier("was", name)) for name in columns)


def _texts(columns: Sequence[str], of: str) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{}::text").format(identifier(of, name)) for name in columns)


def _quoted(column: str) -> sql.Composed:
    return sql.SQL("quote_nullable({}::text)").format(identifier("waiting", column))
