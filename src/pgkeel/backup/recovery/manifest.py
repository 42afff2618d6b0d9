"""Prove the files of a backup against its manifest while they are unpacked: nothing is read a second time.

It is what `pg_verifybackup` proves: that each file of the manifest is there with its size and checksum, and no other one.
"""

import hashlib
import sys
from collections.abc import Mapping
from typing import Any, Protocol

import google_crc32c
import msgspec

from pgkeel.backup.errors import Damaged
from pgkeel.backup.unpacking import Content, Files

__all__ = ["Crc32c", "NotAsListed", "Proved", "checksum_of", "document_of", "path_of"]

_HASHES = frozenset({"SHA224", "SHA256", "SHA384", "SHA512"})
_WAL = "pg_wal/"  # is listed in no manifest; it is proved before it is replayed


class NotAsListed(Damaged):
    """What was unpacked is not what the backup's manifest lists."""


class Proved:
    """Takes files, measures them, and hands them on; `require_whole` says whether they are what was backed up.

    Attributes:
        ahead: As whom it hands them to.
        has_begun: Whether there was a manifest.
    """

    def __init__(self, files: Files) -> None:
        """Take whom the files are handed to."""
        self._files = files
        self._listed: dict[str, Mapping[str, Any]] = {}
        self._wrong = ""
        self.ahead = files.ahead
        self.has_begun = False

    def begin(self, manifest: bytes) -> None:
        """Read the manifest, proved by the checksum in its last line.

        Raises:
            NotAsListed: It is no manifest, or not what its checksum says.
        """
        for one in document_of(manifest)["Files"]:
            name = path_of(one)
            if name in self._listed:
                raise NotAsListed(f'"{name}" is in the manifest twice')
            self._listed[name] = one
        self.has_begun = True
        self._files.begin(manifest)

    def folder(self, name: str, mode: int) -> None:
        """Hand on a folder; manifests list none."""
        self._files.folder(name, mode)

    def file(self, name: str, mode: int, content: Content) -> None:
        """Measure a file that is handed on."""
        listed = self._listed.pop(name, None)
        measure = _measure(listed.get("Checksum-Algorithm") if listed else None)
        size, content.heard = content.left, measure.update
        self._files.file(name, mode, content)
        if listed is None:
            self._note(name, "is not in the manifest" if not name.startswith(_WAL) else "")
        elif size != listed.get("Size"):
            self._note(name, f"has {size} bytes instead of {listed.get('Size')}")
        elif measure.hexdigest() != listed.get("Checksum", ""):
            self._note(name, "has another checksum than the manifest says")

    def require_whole(self) -> None:
        """Prove that every file was what the manifest says, and none was missing or more.

        Raises:
            NotAsListed: One was not.
        """
        missing = f'"{min(self._listed)}" is in the manifest, but not in the backup' if self._listed else ""
        if self._wrong or missing:
            raise NotAsListed(self._wrong or missing)

    def _note(self, name: str, reason: str) -> None:
        self._wrong = self._wrong or (f'"{name}" {reason}' if reason else "")


class _Measure(Protocol):
    def update(self, content: bytes, /) -> object: ...
    def hexdigest(self) -> str: ...


class Crc32c:
    """A checksum as manifests have it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._value = 0

    def update(self, content: bytes) -> None:
        """Add what follows."""
        self._value = google_crc32c.extend(self._value, content)

    def hexdigest(self) -> str:
        """Return it as `pg_checksum_final` leaves it."""
        return self._value.to_bytes(4, sys.byteorder).hex()


def checksum_of(content: bytes) -> str:
    """Return the checksum of a small file, as manifests spell it."""
    measure = Crc32c()
    measure.update(content)
    return measure.hexdigest()


class _Nothing:
    def update(self, content: bytes) -> None:
        pass

    def hexdigest(self) -> str:
        return ""


def _measure(algorithm: str | None) -> _Measure:
    if algorithm is None:
        return _Nothing()
    if algorithm == "CRC32C":
        return Crc32c()
    if algorithm not in _HASHES:
        raise NotAsListed(f"the manifest has checksums of an unknown kind: {algorithm!r}")
    return hashlib.new(algorithm)


def document_of(manifest: bytes) -> dict[str, Any]:
    """Return what a manifest says, proved by the checksum in its last line.

    Raises:
        NotAsListed: It is no manifest, or not what its checksum says.
    """
    try:
        document: dict[str, Any] = msgspec.json.decode(manifest)
        declared, files = document["Manifest-Checksum"], document["Files"]
        if not isinstance(files, list):
            raise NotAsListed("the manifest lists no files")
    except (msgspec.DecodeError, KeyError, TypeError) as err:
        raise NotAsListed("the manifest cannot be read") from err
    signed = manifest[: manifest.rstrip(b"\n").rfind(b"\n") + 1]
    if hashlib.sha256(signed).hexdigest() != declared:
        raise NotAsListed("the manifest is not what its checksum says")
    return document


def path_of(listed: Mapping[str, Any]) -> str:
    """Return a file's path; one that is no UTF-8 is spelled in hexadecimal digits."""
    try:
        return str(listed["Path"]) if "Path" in listed else bytes.fromhex(listed["Encoded-Path"]).decode(errors="surrogateescape")
    except (KeyError, TypeError, ValueError) as err:
        raise NotAsListed("the manifest cannot be read") from err
