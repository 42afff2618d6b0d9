"""Keep the log provable: seal what finished transactions wrote, make its months ahead, let old months go, begin epochs.

Writers pay nothing for seals. A batch is bounded by transaction numbers below every running one, so nothing can join it later;
its digest includes that of the seal before, and the newest is anchored outside of the database (`anchors`).
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from psycopg import sql

from pgkeel.core import clock
from pgkeel.core.sink import Anchor, Sink
from pgkeel.postgres import Connection, identifier, load
from pgkeel.security.audit.anchors import system_of

__all__ = ["make_months", "note_roles", "open_epoch", "retire", "seal", "waiting"]

_AHEAD = 3


def seal(connection: Connection) -> int:
    """Seal what can no longer change, note roles and rights that changed, and return how many rows were sealed.

    Rows of running transactions wait for the next seal; a long transaction holds it back.

    Args:
        connection: Superuser, or a member of `pgkeel_audit`.
    """
    note_roles(connection)
    load(__name__, "unseen_rights").scalar(connection)
    return int(load(__name__, "seal_batch").scalar(connection))


def waiting(connection: Connection) -> int:
    """Return how many rows wait for the next seal."""
    row = load(__name__, "unsealed").row(connection)
    return int(row["rows"]) if row else 0


def note_roles(connection: Connection) -> int:
    """Write down which roles were made, changed or dropped since the last call, and return how many.

    Event triggers do not see roles.
    """
    with connection.transaction():
        is_first = not load(__name__, "knows_roles").scalar(connection)
        changed = load(__name__, "changed_roles").rows(connection)
        for row in changed:
            before, after = (None if one is None else json.dumps(one) for one in (row["before"], row["after"]))
            if not is_first:
                load(__name__, "note_role").run(connection, name=row["name"], before=before, after=after)
            if after is None:
                load(__name__, "forget_role").run(connection, name=row["name"])
            else:
                load(__name__, "keep_role").run(connection, name=row["name"], after=after)
    return 0 if is_first else len(changed)


def open_epoch(connection: Connection, reason: str, sinks: Sequence[Sink] = ()) -> int:
    """Begin another life of the log and return its number; a recovery calls it before anybody may connect.

    Seals and anchors of the lost future belong to other epochs and are no alarm; what was sealed before stays proved.

    Args:
        connection: Superuser, or a member of `pgkeel_audit`.
        reason: In words.
        sinks: Where it is written down that the epoch began: one that nobody wrote down excuses no missing seal. No life that
            left an anchor there has the same number.
    """
    system = system_of(connection)
    taken = max((known.epoch for sink in sinks for known in sink.anchors(system)), default=0)
    with connection.transaction():
        number = int(load(__name__, "next_epoch").scalar(connection, why=reason, above=taken))
        begun = load(__name__, "epochs").rows(connection)[-1]
        for sink in sinks:
            sink.write(Anchor(system, number, begun["after_seal"], "", begun["opened_at"]))
    return number


def make_months(connection: Connection, *, ahead: int = _AHEAD) -> tuple[str, ...]:
    """Make the partitions of this month and of some months ahead, and return the new ones.

    A month whose rows lie in the default partition already stays there.
    """
    there = {row["name"] for row in load(__name__, "months").rows(connection)}
    made = []
    start = clock.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(ahead + 1):
        end = (start + timedelta(days=32)).replace(day=1)
        name = f"log_{start:%Y_%m}"
        if name not in there and not load(__name__, "waits_in_default").scalar(connection, lower=start, upper=end):
            _make_month(connection, name, start, end)
            made.append(name)
        start = end
    return tuple(made)


def retire(connection: Connection, *, keep: timedelta) -> tuple[str, ...]:
    """Take the sealed months older than `keep` out of the log and return the tables that they are now.

    Their seals stay and prove the chain; the rows may be exported and dropped.
    """
    gone = []
    for row in load(__name__, "retirable").rows(connection, bound=clock.now() - keep):
        with connection.transaction():
            load(__name__, "detach").named(name=identifier(row["name"])).run(connection)
            load(__name__, "mark_retired").run(connection, month=row["month"])
        gone.append(f"audit.{row['name']}")
    return tuple(gone)


def _make_month(connection: Connection, name: str, start: datetime, end: datetime) -> None:
    bounds = {"lower": sql.Literal(start.isoformat()), "upper": sql.Literal(end.isoformat())}
    with connection.transaction():
        load(__name__, "become_audit_for_now").run(connection)
        load(__name__, "add_month").named(name=identifier(name), **bounds).run(connection)
        load(__name__, "leave_tails").rows(connection)
        load(__name__, "become_self").run(connection)
