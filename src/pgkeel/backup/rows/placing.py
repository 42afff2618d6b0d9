"""Write waiting rows into their table in one transaction, past every trigger, and let its sequences count on behind them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import psycopg
from psycopg import sql

from pgkeel.backup.rows.outcome import RowsDoNotFit
from pgkeel.backup.rows.shape import Shape, names
from pgkeel.core.errors import LockNotObtained, Refused
from pgkeel.postgres import Connection, describe, identifier, load

__all__ = ["Behind", "behind", "count_on", "place", "signed"]

_PATIENCE = "10s"
_BY_HAND = "`pgkeel recover beside` shows the rows: put them back by hand"


class Behind(msgspec.Struct, frozen=True):
    """A sequence that would give a number again which a row that comes back has.

    Attributes:
        sequence: Its name, quoted.
        reached: The highest such number.
    """

    sequence: str
    reached: int

    def __str__(self) -> str:
        """Say what becomes of it."""
        return f"the sequence {self.sequence} stood behind what comes back: it goes on after {self.reached}"


@contextmanager
def signed(live: Connection, actor: str, *, dry_run: bool) -> Iterator[None]:
    """Run the block as one transaction, whose actor the audit log hears."""
    try:
        with live.transaction(force_rollback=dry_run):
            load(__name__, "sign").run(live, actor=actor, patience=_PATIENCE)
            yield
    except (psycopg.DataError, psycopg.IntegrityError) as err:
        raise RowsDoNotFit(
            f"nothing came back, for a row of then does not fit into the table of today: {describe(err)}",
            hint="--where leaves such rows out; `pgkeel recover beside` shows them",
        ) from err
    except psycopg.errors.LockNotAvailable as err:
        raise LockNotObtained(
            f"nothing came back: somebody else has held a lock on what is needed for {_PATIENCE}",
            hint="`pgkeel psql -c 'SELECT * FROM pg_stat_activity'` shows whose transaction; run it again when that has ended",
        ) from err
    except psycopg.DatabaseError as err:
        if isinstance(err, psycopg.OperationalError):
            raise
        raise Refused(
            f"nothing came back: {describe(err)}", hint="--sql FILE writes the statements; `pgkeel recover beside` shows the rows"
        ) from err


def place(live: Connection, shape: Shape, columns: Sequence[str], waiting: sql.Identifier) -> int:
    """Put waiting rows back and return how many; no trigger fires, and what somebody else wrote meanwhile stays as it is.

    No `ON CONFLICT` looks at a deferrable constraint, and past the triggers nothing proves it: nobody writes to such a table
    until the transaction ends, and each value is counted.

    Raises:
        RowsDoNotFit: A value that may be there once would be there twice.
        Refused: Nothing here can prove one of its constraints.
    """
    _require_provable(live, shape)
    if shape.deferrable:
        load(__name__, "hold_table").named(table=shape.table.quoted).run(live)
    fields = {"table": shape.table.quoted, "columns": names(columns), "waiting": waiting, "key": names(shape.key)}
    quiet = bool(load(__name__, "may_be_quiet").scalar(live))
    if quiet:
        load(__name__, "quiet").run(live)
    rows = load(__name__, "insert_all" if shape.deferrable else "insert_waiting").named(**fields).run(live)
    if quiet:
        load(__name__, "loud").run(live)
    _require_single(live, shape, columns, waiting)
    return rows


def behind(live: Connection, past: Connection, shape: Shape, waiting: sql.Identifier) -> Iterator[Behind]:
    """Yield the sequences of a table that stand behind what waits: `TRUNCATE … RESTART IDENTITY` sets them back.

    A number that somebody chose beyond what the sequence had given then leads it nowhere: it may be the highest that there is.
    """
    table = {"schema": shape.table.schema, "name": shape.table.name}
    known = [(row["schema"], row["name"]) for row in load(__name__, "sequences").rows(past, **table)]
    for row in load(__name__, "sequences").rows(live, **table):
        if row["column"] not in shape.columns:
            continue
        sequence, issued = identifier(row["schema"], row["name"]), row["highest"]
        if (row["schema"], row["name"]) in known:
            issued = load(__name__, "issued").named(sequence=sequence).scalar(past)
        query = load(__name__, "behind").named(sequence=sequence, column=identifier(row["column"]), waiting=waiting)
        found = query.row(live, issued=issued)
        if found is not None:
            yield Behind(sequence.as_string(), int(found["reached"]))


def count_on(live: Connection, some: Sequence[Behind]) -> None:
    """Let sequences go on after what came back; no transaction takes that back."""
    for one in some:
        load(__name__, "count_on").run(live, sequence=one.sequence, reached=one.reached)


def _require_provable(live: Connection, shape: Shape) -> None:
    found = load(__name__, "loose_exclusion").scalar(live, schema=shape.table.schema, name=shape.table.name)
    if found is not None:
        raise Refused(f"nothing came back: {shape.table} has the deferrable exclusion constraint {found}", hint=_BY_HAND)


def _require_single(live: Connection, shape: Shape, columns: Sequence[str], waiting: sql.Identifier) -> None:
    for unique in (one for one in shape.deferrable if set(one.columns).issubset(columns)):
        mine, theirs = names(unique.columns, of="waiting"), names(unique.columns, of="now")
        if load(__name__, "doubled").named(table=shape.rows, waiting=waiting, mine=mine, theirs=theirs).row(live):
            raise RowsDoNotFit(
                f"nothing came back, for a value of {unique.name} would be there twice",
                hint="run it again if it was written meanwhile; --where leaves such rows out",
            )
