"""Pass over the backfills of tables without a row: a new database goes up in one run, and nobody waits for nothing."""

from pgkeel.core.errors import KeelError
from pgkeel.migrations.backfill.keys import bounds, find_target
from pgkeel.migrations.backfill.state import BackfillState, states
from pgkeel.postgres import Connection, load

__all__ = ["finish_empty"]


def finish_empty(connection: Connection) -> None:
    """Mark the backfills as finished whose table has no row; those of tables that are not there are left to `run`."""
    for state in states(connection):
        if state.status in {"pending", "running"} and _is_empty(connection, state):
            load(__name__, "finish").run(connection, **state.place)


def _is_empty(connection: Connection, state: BackfillState) -> bool:
    try:
        target = find_target(connection, state.options["table"], state.options.get("key"))
    except KeelError:
        return False
    return bounds(connection, target) is None
