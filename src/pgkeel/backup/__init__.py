"""Backup & Recovery: repositories whose objects are compressed, encrypted, never overwritten, and checked without a key."""

from pgkeel.backup.bucket import Bucket
from pgkeel.backup.catalogue import Catalogue, Fault, Verdict, read_catalogue, verify
from pgkeel.backup.errors import Damaged, KeyTaken, RepositoryFailed, RepositoryUnreachable, WrongKey
from pgkeel.backup.folder import Folder
from pgkeel.backup.records import Record, write_record
from pgkeel.backup.sealing import Part, new_identity, recipient_of, seal, unseal

__all__ = [
    "Bucket",
    "Catalogue",
    "Damaged",
    "Fault",
    "Folder",
    "KeyTaken",
    "Part",
    "Record",
    "RepositoryFailed",
    "RepositoryUnreachable",
    "Verdict",
    "WrongKey",
    "new_identity",
    "read_catalogue",
    "recipient_of",
    "seal",
    "unseal",
    "verify",
    "write_record",
]
