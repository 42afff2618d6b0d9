"""See what one statement did: compare locks, files and reads before and after it, in its own transaction."""

from collections.abc import Iterable, Mapping

import msgspec

from pgkeel.migrations.impact.effect import Effect, Lock, mode_of, strongest
from pgkeel.postgres import Connection, Row, load

__all__ = ["Look", "difference", "held", "look", "relations"]

_TABLES, _INDEXES = {"r", "p", "m", "f"}, {"i", "I"}
# a query of an empty table reads all of it whatever the plan would be on a large one, so that only these tell something
_TELLING = ("ALTER", "CREATE", "REINDEX", "CLUSTER", "REFRESH", "DROP", "DO")


class Look(msgspec.Struct, frozen=True):
    """What a transaction holds at one instant.

    Attributes:
        relations: Tables and indexes, by their oid.
        locks: Pairs of oid and mode that the session has.
        scans: How often this transaction read a table from end to end, by oid.
    """

    relations: Mapping[int, Row]
    locks: frozenset[tuple[int, str]]
    scans: Mapping[int, int]


def relations(connection: Connection) -> dict[int, Row]:
    """Return the tables and indexes of a database, by their oid."""
    return {row["oid"]: row for row in load(__name__, "relations").rows(connection)}


def look(connection: Connection) -> Look:
    """Look from inside the transaction."""
    locks = load(__name__, "locks").rows(connection, pid=connection.info.backend_pid)
    scans = {row["relation"]: row["count"] for row in load(__name__, "scans").rows(connection)}
    return Look(relations(connection), frozenset((row["relation"], row["mode"]) for row in locks), scans)


def difference(before: Look, after: Look, head: str) -> Effect:
    """Return what a statement did between two looks; `head` is its first word."""
    known = {**after.relations, **before.relations}  # a renamed table is called what the statement called it
    read = {oid for oid, count in after.scans.items() if count > before.scans.get(oid, 0)} if head in _TELLING else set()
    rewritten = _moved(before, after, _TABLES)
    built = {row["table"] for oid, row in after.relations.items() if row["kind"] in _INDEXES and _is_new(oid, row, before)}
    scanned = {oid for oid in (read | built) - rewritten if oid in before.relations}
    return Effect(
        _locks(after.locks - before.locks, known),
        tuple(sorted(known[oid]["name"] for oid in rewritten)),
        tuple(sorted(known[oid]["name"] for oid in scanned)),
    )


def held(after: Look, before: Look) -> tuple[Lock, ...]:
    """Return the strongest lock on each table that the transaction has by now."""
    return _locks(after.locks, {**after.relations, **before.relations})


def _locks(pairs: Iterable[tuple[int, str]], known: Mapping[int, Row]) -> tuple[Lock, ...]:
    tables = ((known[oid]["name"], mode) for oid, mode in pairs if oid in known and known[oid]["kind"] in _TABLES)
    return strongest(Lock(name, mode_of(mode)) for name, mode in tables)


def _moved(before: Look, after: Look, kinds: set[str]) -> set[int]:
    """Return what has another file than before."""
    both = before.relations.keys() & after.relations.keys()
    return {
        oid
        for oid in both
        if before.relations[oid]["kind"] in kinds and before.relations[oid]["file"] != after.relations[oid]["file"]
    }


def _is_new(oid: int, row: Row, before: Look) -> bool:
    return oid not in before.relations or before.relations[oid]["file"] != row["file"]
