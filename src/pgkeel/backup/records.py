"""What is known about a backup in clear, beside its objects: enough to list, check and find it without any key.

The record is stored last, so a backup that was killed has none; it carries a hash of itself, so a flipped bit is found.
"""

from datetime import datetime
from typing import Literal

import msgspec

from pgkeel.backup.envelope import damaged, read_fact, store_fact
from pgkeel.backup.places import RECORD
from pgkeel.backup.sealing import Part
from pgkeel.core.repository import Repository

__all__ = ["RECORD", "Kind", "Record", "Tablespace", "read_record", "write_record"]

_FORMAT = 1
Kind = Literal["full", "incremental", "wal"]


class Tablespace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A tablespace of its own in a backup.

    Attributes:
        oid: Its number, which is its name below `pg_tblspc`.
        name: What it was called; "" when it was made while the backup was taken.
        location: Where it lay then; it is restored beside the data directory and never there.
        parts: The pieces of its tar.
    """

    oid: int
    name: str
    location: str
    parts: tuple[Part, ...]


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One finished backup.

    Attributes:
        id: Its name; sorts by time.
        kind: What it is: all of the data, the blocks that changed since `parent`, or a restore point in the WAL after `parent`.
        parent: Id of the backup that it builds on, always a full one, or None.
        system_identifier: Which cluster it is of.
        server_version: For example 17.11.
        timeline: The timeline of its end.
        start_lsn: Where recovery begins.
        end_lsn: Where it is consistent.
        started_at: UTC.
        finished_at: UTC.
        parts: The pieces of its object `base`, in their order: a tar of the data directory; none for a WAL slice.
        manifest: The pieces of `backup_manifest`, zstd, in clear.
        relations: The pieces of the sealed list of tables and their files.
        keys: The pieces of the sealed key ring; none where there are no keys.
        rows: The pieces of the sealed hashes of closed partitions; none where there is none.
        size: Bytes of the tars before compression.
        checksums: Whether the cluster has data checksums.
        restore_point: Name of the restore point at `end_lsn` of a WAL slice, or None.
        format: Of this record and of the objects.
        tablespaces: Those besides the two that every cluster has.
    """

    id: str
    kind: Kind
    parent: str | None
    system_identifier: str
    server_version: str
    timeline: int
    start_lsn: str
    end_lsn: str
    started_at: datetime
    finished_at: datetime
    parts: tuple[Part, ...]
    manifest: tuple[Part, ...] = ()
    relations: tuple[Part, ...] = ()
    keys: tuple[Part, ...] = ()
    rows: tuple[Part, ...] = ()
    size: int = 0
    checksums: bool = True
    restore_point: str | None = None
    format: int = _FORMAT
    tablespaces: tuple[Tablespace, ...] = ()

    @property
    def folder(self) -> str:
        """Where its objects lie."""
        return f"{self.system_identifier}/{self.id}"

    @property
    def objects(self) -> tuple[Part, ...]:
        """Everything that belongs to it but the record."""
        others = (part for tablespace in self.tablespaces for part in tablespace.parts)
        return (*self.parts, *others, *self.manifest, *self.relations, *self.keys, *self.rows)

    @property
    def bytes(self) -> int:
        """Stored size of its objects."""
        return sum(part.bytes for part in self.objects)


def write_record(repository: Repository, record: Record) -> None:
    """Store the record, which makes the backup one.

    Raises:
        KeyTaken: Another record lies there.
    """
    store_fact(repository, f"{record.folder}/{RECORD}", record)


def read_record(repository: Repository, key: str) -> Record:
    """Return the record under a key.

    Raises:
        Damaged: It is missing or is not what was stored.
    """
    record = read_fact(repository, key, Record)
    if f"{record.folder}/{RECORD}" != key:
        raise damaged(repository, key, f"is the record of {record.folder}")
    return record
