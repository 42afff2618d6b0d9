"""Prove the log: every batch against its seal, every seal against the one before, the newest against what lies outside."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

import msgspec

from pgkeel.core.sink import Anchor, Sink
from pgkeel.core.telling import counted
from pgkeel.postgres import Connection, Row, identifier, load
from pgkeel.security.audit.anchors import system_of
from pgkeel.security.audit.older import refuse_older

__all__ = ["Problem", "Verdict", "verify"]

_TRIGGERS = 4


class Problem(msgspec.Struct, frozen=True):
    """Something that is not as it was written.

    Attributes:
        kind: `changed`, `removed`, `added`, `chain`, `seal_missing`, `forged`, `anchor`, `trigger` or `shape`.
        seq: The first row of the batch, or the row; None where no row can be named.
        detail: In words.
    """

    kind: str
    seq: int | None
    detail: str


class Verdict(msgspec.Struct, frozen=True):
    """What was proved.

    Attributes:
        sealed: Rows under a seal.
        unsealed: Rows that wait for one.
        unsealed_since: When the oldest of them was written.
        seals: How many seals there are.
        anchors: How many anchors they were compared with; without any, somebody who rewrote everything is not seen.
        problems: What was found.
    """

    sealed: int
    unsealed: int
    unsealed_since: datetime | None
    seals: int
    anchors: int
    problems: tuple[Problem, ...]


def verify(connection: Connection, sinks: Sequence[Sink] = ()) -> Verdict:
    """Return whether the log is as it was written.

    Args:
        connection: Superuser, or an auditor.
        sinks: Where anchors lie.

    Raises:
        OlderLog: An older version made the log.
    """
    system = system_of(connection)
    refuse_older(connection)
    with connection.transaction():
        load(__name__, "one_view").run(connection)
        seals = load(__name__, "seals").rows(connection)
        is_more = load(__name__, "record_rows").scalar(connection) != sum(seal["rows_now"] for seal in seals)
        forged = load(__name__, "forged").rows(connection) if is_more else []
        seals = list(_with_detached(connection, seals))
        waiting = load(__name__, "unsealed").row(connection) or {}
        epochs = load(__name__, "epochs").rows(connection)
        tables = load(__name__, "watched_tables").rows(connection)
        events = load(__name__, "event_triggers").rows(connection)
    anchors = [known for sink in sinks for known in sink.anchors(system)]
    problems = (
        *(problem for seal in seals for problem in _batch(seal)),
        *_chain(seals),
        *(Problem("forged", row["seq"], "is in a sealed span, but no seal counts it") for row in forged),
        *_anchored(seals, anchors, epochs),
        *_watched(tables),
        *_events(events),
    )
    sealed = sum(seal["rows"] for seal in seals)
    return Verdict(sealed, waiting.get("rows", 0), waiting.get("oldest"), len(seals), len(anchors), problems)


def _with_detached(connection: Connection, seals: Sequence[Row]) -> Iterator[Row]:
    """Yield the seals; months that have left the log are looked at in the tables that they are now, while these are there."""
    months = {seal["month"]: seal["kept_as"] for seal in seals if seal["kept_as"]}
    found = {
        row["number"]: row
        for month, name in months.items()
        for row in load(__name__, "detached").named(name=identifier(name)).rows(connection, month=month)
    }
    for seal in seals:
        yield {**seal, **found[seal["number"]], "is_retired": False} if seal["number"] in found else seal


def _batch(seal: Row) -> Iterator[Problem]:
    """Yield what is wrong with the rows of one seal."""
    if seal["is_retired"]:
        return
    where = f"seal {seal['number']} of {counted(seal['rows'], 'row')}"
    if seal["rows_now"] < seal["rows"]:
        yield Problem("removed", seal["seq"], f"{where}: {seal['rows'] - seal['rows_now']} are gone")
    elif seal["rows_now"] > seal["rows"]:
        yield Problem("added", seal["seq"], f"{where}: {seal['rows_now'] - seal['rows']} were added")
    elif bytes(seal["expected"]) != bytes(seal["digest"]):
        yield Problem("changed", seal["seq"], f"{where}: one of them, or the seal, is not what was sealed")


def _chain(seals: Sequence[Row]) -> Iterator[Problem]:
    if seals and (seals[0]["number"] != 1 or bytes(seals[0]["previous"])):
        yield Problem("seal_missing", None, f"the first seal is number {seals[0]['number']}")
    for before, after in pairwise(seals):
        if after["number"] != before["number"] + 1:
            yield Problem("seal_missing", None, f"between seals {before['number']} and {after['number']}")
        elif bytes(after["previous"]) != bytes(before["digest"]):
            yield Problem("chain", after["seq"], f"seal {after['number']} does not follow seal {before['number']}")


def _anchored(seals: Sequence[Row], anchors: Sequence[Anchor], epochs: Sequence[Row]) -> Iterator[Problem]:
    """Compare with what lies outside; a recovery took seals away, and an undone one its whole life, which a later life says.

    It is believed where it was written down outside, too: else a superuser who takes seals away would pretend a recovery.
    """
    known = {(seal["epoch"], seal["number"]): bytes(seal["digest"]).hex() for seal in seals}
    written = {(anchor.epoch, anchor.seal) for anchor in anchors if not anchor.digest}
    begun = [(epoch["epoch"], epoch["after_seal"]) for epoch in epochs]
    lived = dict(begun)
    for anchor in anchors:
        found = known.get((anchor.epoch, anchor.seal))
        after = next((seal for epoch, seal in begun if epoch > anchor.epoch and (epoch, seal) in written), None)
        is_lost = after is not None and (anchor.epoch not in lived or anchor.seal > after)
        if found == anchor.digest or is_lost or not anchor.digest:
            continue
        if found is None:
            yield Problem("anchor", None, f"seal {anchor.seal} was anchored at {anchor.at:%Y-%m-%d %H:%M:%S} and is gone")
        else:
            yield Problem("anchor", None, f"seal {anchor.seal} is not the one that was anchored")


def _watched(tables: Sequence[Row]) -> Iterator[Problem]:
    for row in tables:
        for detail in _untold(row):
            yield Problem("trigger", None, detail)
        if row["exists"] and row["triggers"] == _TRIGGERS and not row["is_as_it_was"]:
            yield Problem("shape", None, f"{row['table_name']} has other columns now: `pgkeel security audit apply`")


def _untold(row: Row) -> Iterator[str]:
    """Yield why the log is not told of all that is written to a table."""
    name = row["table_name"]
    if not row["exists"]:
        yield f"{name} is watched and not there"
        return
    if row["triggers"] != _TRIGGERS:
        yield f"{name}: {counted(_TRIGGERS - row['triggers'], 'trigger')} missing, disabled or replaced"
    if row["silent"]:
        yield f"{name}: triggers of {', '.join(row['silent'])} missing, disabled or replaced"
    if row["part_of"]:
        yield f"{name} is a partition of {row['part_of']} now: watch that"
    if row["heirs"]:
        yield f"{name}: {', '.join(row['heirs'])} inherit{'s' if len(row['heirs']) == 1 else ''} from it unwatched"


def _events(events: Sequence[Row]) -> Iterator[Problem]:
    enabled = {row["name"] for row in events if row["is_enabled"]}
    for name in sorted({"pgkeel_audit_ddl", "pgkeel_audit_drop"} - enabled):
        yield Problem("trigger", None, f"the event trigger {name} is missing or disabled: DDL is not noted")
