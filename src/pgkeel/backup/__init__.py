"""Backup & Recovery: repositories whose objects are compressed, encrypted, never overwritten, and checked without a key."""

from pgkeel.backup.addresses import open_repository
from pgkeel.backup.bucket import Bucket
from pgkeel.backup.catalogue import Catalogue, Fault, Verdict, read_catalogue, verify
from pgkeel.backup.errors import Damaged, KeyTaken, RepositoryFailed, RepositoryUnreachable, WrongKey
from pgkeel.backup.fetching import (
    NotEmpty,
    fetch_backup,
    fetch_manifest,
    fetch_open_segment,
    fetch_relations,
    fetch_sealed,
    fetch_segment,
)
from pgkeel.backup.folder import Folder
from pgkeel.backup.identities import new_identity, recipient_of
from pgkeel.backup.records import Record, write_record
from pgkeel.backup.relations import Relation, Relations, relations_of
from pgkeel.backup.sealing import Part, seal, unseal
from pgkeel.backup.tools import Programs, Tools
from pgkeel.backup.wal_index import Gap, Piece, RestorePoint, Segment, Span, WalIndex, read_index

__all__ = [
    "Bucket",
    "Catalogue",
    "Damaged",
    "Fault",
    "Folder",
    "Gap",
    "KeyTaken",
    "NotEmpty",
    "Part",
    "Piece",
    "Programs",
    "Record",
    "Relation",
    "Relations",
    "RepositoryFailed",
    "RepositoryUnreachable",
    "RestorePoint",
    "Segment",
    "Span",
    "Tools",
    "Verdict",
    "WalIndex",
    "WrongKey",
    "fetch_backup",
    "fetch_manifest",
    "fetch_open_segment",
    "fetch_relations",
    "fetch_sealed",
    "fetch_segment",
    "new_identity",
    "open_repository",
    "read_catalogue",
    "read_index",
    "recipient_of",
    "relations_of",
    "seal",
    "unseal",
    "verify",
    "write_record",
]
