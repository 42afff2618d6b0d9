"""Put lost rows back into the live database, as they were, in one transaction; whatever lives there now stays untouched."""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import sql

from pgkeel.backup.rows.again import Deletions, nothing_known
from pgkeel.backup.rows.condition import require_which
from pgkeel.backup.rows.lost import Lost
from pgkeel.backup.rows.outcome import Conflict, RowsBack
from pgkeel.backup.rows.placing import Behind, behind, count_on, place, signed
from pgkeel.backup.rows.references import References
from pgkeel.backup.rows.resealing import Resealer, WithoutKeys, written_columns
from pgkeel.backup.rows.script import Arriving, inserts, set_backs, set_ons, updates
from pgkeel.backup.rows.shape import Link, Shape, Table, carry, names, words
from pgkeel.backup.rows.spelling import as_now, assignments, texts
from pgkeel.core.errors import Refused
from pgkeel.postgres import Connection, Query, identifier, load
from pgkeel.postgres.cache_ledger import forget_cached

__all__ = ["put_back"]

_WITHOUT_KEYS = WithoutKeys()
_LIVES = "its key lives again"
_WERE = identifier("pg_temp", "were")
_TAKEN = "a value of it that may be there once is taken"


def put_back(
    live: Connection,
    past: Connection,
    table: Table,
    *,
    where: str = "true",
    changed: bool = False,
    dry_run: bool = False,
    script: bool = False,
    actor: str = "pgkeel recover rows",
    resealer: Resealer = _WITHOUT_KEYS,
    deletions: Deletions = nothing_known,
) -> RowsBack:
    """Put back the rows of a table that the past has and the live database has not.

    Missing parents come first, then the rows, those that the cascade took, and the references that were set to NULL.
    Sessions and mailed tokens are left out: a login that has ended must not live again. A row that was deleted and whose key
    lives again under other values is a conflict, and no reason makes it be written over.

    Args:
        live: The database to write to.
        past: A copy of it as it was, which nobody else uses; temporary tables are made there.
        table: Whose rows.
        where: Which of them, in SQL, as they were.
        changed: Whether rows that live but differ are set back too; asks for a `where`.
        dry_run: Do it and take it back.
        script: Whether to return the statements as well.
        actor: Who the audit log says it was.
        resealer: Seals encrypted columns by today's key.
        deletions: Knows which rows of then were deleted, whatever lives under their keys now.

    Raises:
        NotFound: One side has no such table.
        NoPrimaryKey: Its rows cannot be told apart.
        UsageError: `changed` without `where`.
        RowsDoNotFit: A type or a constraint that came since refuses them; nothing was changed.
    """
    require_which(where, changed=changed)
    lost = Lost(live, past, deletions)
    lost.find(table, where)
    with signed(live, actor, dry_run=dry_run):
        work = _Work(live, past, lost, resealer)
        work.bring_all()
        restored = {str(each): work.insert(each) for each in lost.tables} | work.references.refer()
        if changed:
            work.bring_changed(table, where)
        sequences = work.sequences()
        text = (*work.script(table if changed else None), *set_ons(sequences)) if script else ()
        number = work.set_back(table) if changed else 0
        work.finish(sequences, dry_run=dry_run)
    return _outcome(table, lost, restored, number, work, text)


def _outcome(table: Table, lost: Lost, restored: dict[str, int], changed: int, work: "_Work", text: tuple[str, ...]) -> RowsBack:
    shapes = [lost.shapes[each] for each in dict.fromkeys((table, *lost.tables))]
    named = {each.table: "" if each.table == table else f"{each.table}." for each in shapes}
    return RowsBack(
        str(table),
        lost.count(table),
        changed,
        {name: rows for name, rows in restored.items() if rows},
        tuple(work.conflicts),
        tuple(map(str, sorted(lost.left_out))),
        tuple(f"{named[each.table]}{name}" for each in shapes for name in each.added if name not in work.columns(each)),
        tuple(f"{named[each.table]}{name}" for each in shapes for name in each.dropped),
        text,
        tuple(lost.warnings),
    )


class _Work:
    """The live side of one transaction: lost rows wait in temporary tables, and those that do not fit leave them."""

    def __init__(self, live: Connection, past: Connection, lost: Lost, resealer: Resealer) -> None:
        self._live, self._past, self._lost, self._resealer = live, past, lost, resealer
        self.conflicts: list[Conflict] = []
        self.references = References(live, past, lost)

    def columns(self, shape: Shape) -> tuple[str, ...]:
        """Return which columns of a table are written."""
        return written_columns(shape, self._resealer)

    def bring_all(self) -> None:
        """Copy what is lost over, and set aside what cannot come back."""
        for table in self._lost.tables:
            self.bring(table)
        self.set_conflicts_aside()
        self.tell_living_again()
        self.references.bring()

    def bring(self, table: Table) -> None:
        """Copy a table's lost rows over, whole."""
        self._take_keys(table, self._lost.keys(table), self._waiting(table))

    def _take_keys(self, table: Table, keys: sql.Identifier, waiting: sql.Identifier) -> None:
        shape = self._lost.shape(table)
        out = load(__name__, "copy_lost_out").named(
            table=shape.rows, columns=as_now(shape, "old"), lost=keys, key=shape.key_then("old")
        )
        self._take(shape, waiting, out)

    def _take(self, shape: Shape, waiting: sql.Identifier, out: Query) -> None:
        """Copy rows of the past into a table of those that wait, sealed as today's are."""
        fields = {"table": shape.table.quoted, "waiting": waiting}
        load(__name__, "make_waiting").named(**fields, columns=names(self.columns(shape))).run(self._live)
        into = load(__name__, "copy_waiting_in").named(**fields, columns=names(shape.columns))
        carry(self._past, out, self._live, into)
        self._resealer.reseal(shape.table, waiting)

    def set_conflicts_aside(self) -> None:
        """Take out of the waiting rows those whose key or unique value lives, and then those whose parent is missing."""
        for table in self._lost.tables:
            shape = self._lost.shape(table)
            self._set_aside(shape, "taken", _LIVES, mine=shape.key)
            for unique in (one for one in shape.uniques if set(one.columns).issubset(self.columns(shape))):
                self._set_aside(shape, "taken", f"the value of {unique.name} is taken", mine=unique.columns)
        while any(self._orphans(table, link) for table in self._lost.tables for link in self._lost.shape(table).parents):
            pass

    def tell_living_again(self) -> None:
        """Note deleted rows under whose keys something else lives; what lives there as it was, somebody has put back."""
        for number, table in enumerate(self._lost.rewritten):
            shape, waiting = self._lost.shape(table), identifier("pg_temp", f"again_{number}")
            self._take_keys(table, self._lost.told(table), waiting)
            query = load(__name__, "rewritten").named(
                table=shape.rows,
                waiting=waiting,
                key=names(shape.key, of="now"),
                then_key=names(shape.key, of="was"),
                now=texts(self.columns(shape), "now"),
                then=texts(self.columns(shape), "was"),
            )
            self._note(shape, query.rows(self._live), _LIVES)

    def insert(self, table: Table) -> int:
        """Put the waiting rows back, past every trigger, and return how many; the foreign keys are proved at the end."""
        shape = self._lost.shape(table)
        for link in shape.parents:
            self._orphans(table, link)  # a parent that was to come did not
            self._hold(table, link)
        rows = place(self._live, shape, self.columns(shape), self._waiting(table))
        self._set_aside(shape, "unplaced", _TAKEN, mine=shape.key)
        late = int(load(__name__, "count_lost").named(lost=self._waiting(table)).scalar(self._live)) - rows
        if late:
            self.conflicts.append(Conflict(str(table), {}, f"{late} rows were written by somebody else meanwhile"))
        return rows

    def sequences(self) -> tuple[Behind, ...]:
        """Return the sequences that stand behind what came back."""
        return tuple(
            one
            for table in self._lost.tables
            for one in behind(self._live, self._past, self._lost.shape(table), self._waiting(table))
        )

    def bring_changed(self, table: Table, where: str) -> None:
        """Copy over what rows were that live; those whose row of then was deleted are left out."""
        shape = self._lost.shape(table)
        out = load(__name__, "copy_were_out").named(
            table=shape.rows,
            columns=as_now(shape, "old"),
            where=words(where),
            again=self._lost.again(table),
            key=shape.key_then("old"),
        )
        self._take(shape, _WERE, out)

    def set_back(self, table: Table) -> int:
        """Set rows that live but differ back to what they were, and return how many; their version counts on."""
        shape, values = self._lost.shape(table), self._values(table)
        if not values:
            return 0
        return (
            load(__name__, "set_back")
            .named(
                table=shape.rows,
                waiting=_WERE,
                assignments=assignments(values),
                now_key=names(shape.key, of="now"),
                then_key=names(shape.key, of="was"),
                now=texts(values, "now"),
                then=texts(values, "was"),
            )
            .run(self._live)
        )

    def _values(self, table: Table) -> tuple[str, ...]:
        """Return the columns by which a row that lives can differ from what it was."""
        shape = self._lost.shape(table)
        return tuple(name for name in self.columns(shape) if name not in {*shape.key, *shape.fixed, "version", "updated_at"})

    def finish(self, sequences: Sequence[Behind], *, dry_run: bool) -> None:
        """Prove the foreign keys, let caches forget, and lead the sequences on, which no rollback would take back."""
        self.require_parents()
        forget_cached(self._live)
        if not dry_run:
            count_on(self._live, sequences)
        self._lost.warnings += map(str, sequences)

    def require_parents(self) -> None:
        """Let the server prove what was put back past its triggers: nothing points to nothing."""
        for table in self._lost.tables:
            for link in self._lost.shape(table).parents:
                fault = self._query("dangling", table, link).row(self._live)
                if fault is not None:
                    raise Refused(
                        f"{table} would point to a missing row of {link.parent}",
                        hint="run it again if it was deleted meanwhile; if a value is taken, --where leaves these rows out",
                    )

    def script(self, changed: Table | None) -> Iterator[str]:
        """Yield an INSERT for each waiting row, an UPDATE for each reference, and one for each row that is set back."""
        shapes = [self._lost.shape(table) for table in self._lost.tables]
        arriving = [Arriving(shape, self.columns(shape), self._waiting(shape.table)) for shape in shapes]
        yield from inserts(self._live, arriving)
        for waiting, link in self.references.waiting:
            child = self._lost.shape(link.child)
            yield from updates(self._live, link, child.key, waiting, self._waiting(link.parent))
        if changed is not None and self._values(changed):
            yield from set_backs(self._live, self._lost.shape(changed), _WERE, self._values(changed))

    def _waiting(self, table: Table) -> sql.Identifier:
        return identifier("pg_temp", f"waiting_{list(self._lost.shapes).index(table)}")

    def _set_aside(self, shape: Shape, name: str, reason: str, *, mine: Sequence[str]) -> int:
        query = load(__name__, name).named(
            table=shape.rows,
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
        parent = self._lost.shapes[link.parent].rows if link.parent in self._lost.shapes else link.parent.quoted
        return load(__name__, name).named(
            waiting=self._waiting(table),
            parent=parent,
            arriving=self._waiting(link.parent) if arriving else parent,
            mine=names(link.columns, of="waiting"),
            theirs=names(link.keys, of="parent"),
            arriving_keys=names(link.keys, of="arriving"),
            key=names(self._lost.shape(table).key, of="waiting"),
        )
