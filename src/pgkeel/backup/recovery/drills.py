"""What restores that were tried have shown: kept in the repository, so that it is there when the database is not."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pgkeel.backup.closed import hash_of
from pgkeel.backup.envelope import read_fact, store_fact
from pgkeel.backup.errors import Damaged
from pgkeel.backup.lsn import parse_lsn
from pgkeel.backup.records import Record
from pgkeel.backup.recovery.checks import Check
from pgkeel.backup.recovery.resolve import Target
from pgkeel.backup.recovery.side import SideServer
from pgkeel.core.repository import Repository
from pgkeel.postgres import connect, load

__all__ = ["Drill", "differing", "drills_of", "fingerprints", "proved_by", "store_drill"]


class Drill(msgspec.Struct, frozen=True):
    """One restore that was tried.

    Attributes:
        id: Its name; sorts by time.
        backup: The backup that was restored.
        chain: It and what it builds on.
        system: The cluster's system identifier.
        target: The point that was recovered to, or None where it did not come so far.
        started_at: UTC.
        finished_at: UTC.
        rto_seconds: How long it took from nothing to a server that accepts writes; None where it never did.
        rpo_seconds: How old the newest transaction was that the repository and the receiver lacked; None without a server.
        checks: What was found.
        repository: From which repository it was restored; "" means that all were asked.
    """

    id: str
    backup: str
    chain: tuple[str, ...]
    system: str
    target: Target | None
    started_at: datetime
    finished_at: datetime
    rto_seconds: float | None
    rpo_seconds: float | None
    checks: tuple[Check, ...]
    repository: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing was found that is wrong, and something was looked at."""
        return bool(self.checks) and all(check.ok is not False for check in self.checks)


def store_drill(repository: Repository, drill: Drill) -> None:
    """Keep what a drill has shown."""
    store_fact(repository, f"{_folder(drill.system)}/{drill.id}.json", drill)


def drills_of(repository: Repository, system: str) -> tuple[Drill, ...]:
    """Return the drills of a cluster, oldest first; one that cannot be read any more is left out."""
    found = []
    for stored in repository.list(_folder(system)):
        try:
            found.append(read_fact(repository, stored.key, Drill))
        except Damaged:
            continue
    return tuple(sorted(found, key=lambda one: one.id))


def proved_by(drill: Drill, records: Sequence[Record]) -> tuple[str, ...]:
    """Return what a good drill has restored: its chain, and the slices of WAL that it replayed to their ends."""
    if not drill.is_good or drill.target is None:
        return ()
    start = max((parse_lsn(one.end_lsn) for one in records if one.id in drill.chain), default=0)
    until = parse_lsn(drill.target.lsn)
    replayed = (
        one.id
        for one in records
        if one.kind == "wal"
        and one.parent in drill.chain
        and one.timeline == drill.target.timeline
        and start <= parse_lsn(one.end_lsn) <= until
    )
    return (*drill.chain, *replayed)


def fingerprints(server: SideServer, database: str) -> dict[str, tuple[int, str]]:
    """Return for each table how many rows it has, and a hash of all that is in them whatever their order."""
    with connect(server.superuser_url(database), application="pgkeel drill") as connection:
        tables = [(row["schema"], row["name"]) for row in load(__name__, "tables").rows(connection)]
        found = {}
        for schema, name in tables:
            found[f"{schema}.{name}"] = hash_of(connection, schema, name)
        return found


def differing(first: dict[str, tuple[int, str]], second: dict[str, tuple[int, str]]) -> Sequence[str]:
    """Return the tables that are not the same in both."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))


def _folder(system: str) -> str:
    return f"{system}/drills"
