"""What a repository holds, read from the records that lie beside the objects: nothing else is kept, so nothing can disagree."""

import msgspec

from pgkeel.backup.errors import Damaged
from pgkeel.backup.records import RECORD, Record, read_record
from pgkeel.backup.sealing import fault_of
from pgkeel.core.repository import Repository

__all__ = ["Catalogue", "Fault", "Verdict", "read_catalogue", "verify"]


class Fault(msgspec.Struct, frozen=True):
    """An object that is not what was stored.

    Attributes:
        object: Its key.
        reason: What is wrong with it.
    """

    object: str
    reason: str


class Catalogue(msgspec.Struct, frozen=True):
    """What a repository holds.

    Attributes:
        records: The finished backups, oldest first.
        faults: Records that cannot be trusted.
        unfinished: Objects of no finished backup: one that runs, was killed, or lost its record.
    """

    records: tuple[Record, ...]
    faults: tuple[Fault, ...]
    unfinished: tuple[str, ...]


class Verdict(msgspec.Struct, frozen=True):
    """What a check of a repository found.

    Attributes:
        checked: How many objects were read whole.
        damaged: Those that are not what was stored.
        unfinished: Objects of no finished backup.
    """

    checked: int
    damaged: tuple[Fault, ...]
    unfinished: tuple[str, ...]


def read_catalogue(repository: Repository) -> Catalogue:
    """Return what the repository holds; no key is needed, and a damaged record hides no other."""
    keys = [stored.key for stored in repository.list()]
    records, faults = [], []
    for key in (key for key in keys if key.rpartition("/")[2] == RECORD):
        try:
            records.append(read_record(repository, key))
        except Damaged as err:
            faults.append(Fault(key, err.data["reason"]))
    named = {part.key for record in records for part in record.parts} | {f"{record.folder}/{RECORD}" for record in records}
    unfinished = [key for key in keys if key not in named and key not in {fault.object for fault in faults}]
    return Catalogue(tuple(sorted(records, key=lambda one: (one.finished_at, one.id))), tuple(faults), tuple(unfinished))


def verify(repository: Repository) -> Verdict:
    """Read every object of every finished backup, bit by bit, without a server and without a key."""
    catalogue = read_catalogue(repository)
    parts = [part for record in catalogue.records for part in record.parts]
    found = [Fault(part.key, reason) for part in parts if (reason := fault_of(part, repository.get(part.key)))]
    checked = len(catalogue.records) + len(catalogue.faults) + len(parts)
    return Verdict(checked, (*catalogue.faults, *found), catalogue.unfinished)
