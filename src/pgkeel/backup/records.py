"""What is known about a backup in clear, beside its objects: enough to list, check and find it without any key.

The record is stored last, so a backup that was killed has none; it carries a hash of itself, so a flipped bit is found.
"""

import hashlib
from datetime import datetime
from typing import Literal

import msgspec

from pgkeel.backup.errors import Damaged
from pgkeel.backup.sealing import Part, store
from pgkeel.core.repository import Repository

__all__ = ["RECORD", "Record", "read_record", "write_record"]

RECORD = "backup.json"
_FORMAT = 1


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One finished backup.

    Attributes:
        id: Its name; sorts by time.
        kind: What it is.
        parent: Id of the backup that it builds on, or None.
        system_identifier: Which cluster it is of.
        server_version: For example 17.11.
        timeline: The timeline of its end.
        start_lsn: Where recovery begins.
        end_lsn: Where it is consistent.
        started_at: UTC.
        finished_at: UTC.
        parts: The pieces of its object, in their order.
        format: Of this record and of the objects.
    """

    id: str
    kind: Literal["full", "incremental", "wal"]
    parent: str | None
    system_identifier: str
    server_version: str
    timeline: int
    start_lsn: str
    end_lsn: str
    started_at: datetime
    finished_at: datetime
    parts: tuple[Part, ...]
    format: int = _FORMAT

    @property
    def folder(self) -> str:
        """Where its objects lie."""
        return f"{self.system_identifier}/{self.id}"

    @property
    def bytes(self) -> int:
        """Stored size of its objects."""
        return sum(part.bytes for part in self.parts)


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    record: msgspec.Raw


def write_record(repository: Repository, record: Record) -> None:
    """Store the record, which makes the backup one.

    Raises:
        KeyTaken: Another record lies there.
    """
    content = msgspec.json.encode(record)
    envelope = _Envelope(hashlib.sha256(content).hexdigest(), msgspec.Raw(content))
    store(repository, f"{record.folder}/{RECORD}", msgspec.json.encode(envelope))


def read_record(repository: Repository, key: str) -> Record:
    """Return the record under a key.

    Raises:
        Damaged: It is missing or is not what was stored.
    """
    content = repository.get(key)
    if content is None:
        raise _damaged(repository, key, "missing")
    try:
        envelope = msgspec.json.decode(content, type=_Envelope)
        record = msgspec.json.decode(envelope.record, type=Record)
    except (msgspec.DecodeError, UnicodeDecodeError) as err:
        raise _damaged(repository, key, "is no record") from err
    if hashlib.sha256(bytes(envelope.record)).hexdigest() != envelope.sha256:
        raise _damaged(repository, key, "its SHA-256 is another")
    if f"{record.folder}/{RECORD}" != key:
        raise _damaged(repository, key, f"is the record of {record.folder}")
    return record


def _damaged(repository: Repository, key: str, reason: str) -> Damaged:
    return Damaged(
        f"repository {repository.name}: {key}: {reason}",
        hint="take it from another repository",
        data={"object": key, "reason": reason},
    )
