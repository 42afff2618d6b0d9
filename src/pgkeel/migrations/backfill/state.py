"""How far each backfill has come, how fast it goes, and how long it will take."""

from datetime import datetime, timedelta

import msgspec

from pgkeel.core.errors import KeelError, NotFound
from pgkeel.migrations import ledger
from pgkeel.migrations.backfill.keys import bounds, distance, find_target, read_key
from pgkeel.postgres import Connection, load

__all__ = ["BackfillState", "Forecast", "chosen", "forecast", "pausable", "pause", "states"]

_PAUSABLE = {"pending", "running", "failed"}


class BackfillState(msgspec.Struct, frozen=True):
    """One Backfill section of an applied migration.

    Attributes:
        number: Which section of its file, from 1.
        options: Its marker's `key=value`.
        statement: What runs for each batch; None where `options["code"]` does it.
        status: `pending`, `running` (or its runner died), `paused`, `finished` or `failed`.
        last_key: The key up to which all rows are done, as text.
        rows_done: How many rows its batches changed.
        active: How long its batches took, pauses included.
        error: Why it failed.
    """

    source: str
    version: str
    number: int
    options: dict[str, str]
    statement: str | None
    status: str
    last_key: str | None
    rows_done: int
    active: timedelta
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    error: str | None

    @property
    def title(self) -> str:
        """How a person calls it."""
        return f"backfill {self.number} of {self.source} {self.version} ({self.options['table']})"

    @property
    def place(self) -> dict[str, object]:
        """What its row is found by."""
        return {"source": self.source, "version": self.version, "number": self.number}


class Forecast(msgspec.Struct, frozen=True):
    """What can be said of a backfill's future.

    Attributes:
        share: How much of the key's range lies behind it, 0 to 1.
        rate: Rows changed a second while it ran.
        left: How long it will still run at that speed; None while nothing is known.
    """

    share: float
    rate: float
    left: timedelta | None


def states(connection: Connection) -> tuple[BackfillState, ...]:
    """Return every backfill that the ledger knows, in the order in which they run."""
    rows = load(__name__, "states").rows(connection) if ledger.exists(connection) else []
    return tuple(msgspec.convert(row, BackfillState) for row in rows)


def chosen(connection: Connection, version: str | None, source: str | None = None) -> tuple[BackfillState, ...]:
    """Return the backfills of a version, or all; of one source, or of all.

    Raises:
        NotFound: The version has none.
    """
    known = (state for state in states(connection) if source in {None, state.source})
    found = tuple(state for state in known if version in {None, state.version})
    if version is not None and not found:
        hint = "`pgkeel migrate backfill status` lists them; `pgkeel migrate up` brings those of pending files"
        raise NotFound(f"{version} has no backfill", hint=hint)
    return found


def pause(connection: Connection, version: str | None = None, source: str | None = None) -> tuple[BackfillState, ...]:
    """Stop the backfills of a version, or all that are not finished, before their next batch; return where all stand.

    Args:
        connection: As the owner of the ledger.
        version: Whose; None for all.
        source: Only this source's, a tenant's for example.

    Raises:
        NotFound: The version has none.
    """
    for state in pausable(connection, version, source):
        load(__name__, "pause").run(connection, source=state.source, version=state.version)
    return chosen(connection, version, source)


def pausable(connection: Connection, version: str | None = None, source: str | None = None) -> tuple[BackfillState, ...]:
    """Return the backfills that `pause` would stop.

    Raises:
        NotFound: The version has none.
    """
    return tuple(state for state in chosen(connection, version, source) if state.status in _PAUSABLE)


def forecast(connection: Connection, state: BackfillState) -> Forecast:
    """Return share, rate and time left; nothing is counted, both ends of the key's index are read."""
    seconds = state.active.total_seconds()
    rate = state.rows_done / seconds if seconds else 0.0
    share = 1.0 if state.status == "finished" else _share(connection, state)
    left = timedelta(seconds=seconds * (1 - share) / share) if share and seconds else None
    return Forecast(round(share, 4), round(rate, 1), left)


def _share(connection: Connection, state: BackfillState) -> float:
    if state.last_key is None:
        return 0.0
    try:
        target = find_target(connection, state.options["table"], state.options.get("key"))
    except KeelError:
        return 0.0  # the table is gone or was changed: `run` says so
    ends = bounds(connection, target)
    if ends is None or ends[0] == ends[1]:
        return 1.0
    behind = distance(ends[0], read_key(target, state.last_key))
    return min(1.0, max(0.0, behind / distance(*ends)))
