"""Let PostgreSQL read from the disk what was restored, before a server starts on it: `pg_verifybackup`, against a manifest.

A full backup has its own. What a chain comes to gets one as `pg_combinebackup` writes it: what stayed and what was sent whole
keeps its entry of the older or of the newer manifest; what was put together has the checksum of what was written there.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from pgkeel.backup.recovery.checks import Check
from pgkeel.backup.recovery.errors import VerificationFailed
from pgkeel.backup.recovery.manifest import document_of, path_of
from pgkeel.backup.recovery.pace import Pace
from pgkeel.backup.recovery.programs import outcome
from pgkeel.backup.tools import Tools
from pgkeel.core.telling import Report, silent

__all__ = ["FilesDiffer", "Made", "Sources", "differ", "not_evaluated", "outcome_of", "verify_files", "write_manifest"]

_NAME = "pg_verifybackup"
_MANIFEST, _LABEL = "backup_manifest", "backup_label"
_PREFIX = "INCREMENTAL."
_RELATIONS = ("base", "global", "pg_tblspc")  # the folders in which files are sent by blocks
_SHOWN = 3
_TELLS_PROGRESS = 16

_Entry = Mapping[str, Any]


class FilesDiffer(VerificationFailed):
    """What lies on the disk is not what was backed up."""


class Made(msgspec.Struct, frozen=True):
    """What a file was made.

    Attributes:
        size: Bytes that were written.
        checksum: Of them, as manifests spell it.
    """

    size: int
    checksum: str


class Sources(msgspec.Struct, frozen=True):
    """What a full backup and an incremental one on it came to is made of.

    Attributes:
        full: The older manifest.
        newer: The newer one.
        same: Files that were sent by blocks, of which none had changed.
        made: Files that were put together.
    """

    full: bytes
    newer: bytes
    same: frozenset[str]
    made: Mapping[str, Made]


def outcome_of(name: str) -> str:
    """Return the path of the file of which an incremental backup's file holds blocks, or its own path where it is whole."""
    place, _, file = name.rpartition("/")
    is_by_blocks = file.startswith(_PREFIX) and place.partition("/")[0] in _RELATIONS
    return f"{place}/{file.removeprefix(_PREFIX)}" if is_by_blocks else name


def write_manifest(data: Path, sources: Sources) -> None:
    """Write the manifest of a directory in which an incremental backup was laid over a full one.

    Raises:
        FilesDiffer: A file of it is not there.
    """
    newer = document_of(sources.newer)
    entries = b",\n".join(msgspec.json.encode(one) for one in _entries(data, sources, newer["Files"]))
    head = {key: value for key, value in newer.items() if key not in {"Files", "WAL-Ranges", "Manifest-Checksum"}}
    ranges = msgspec.json.encode(newer.get("WAL-Ranges", []))
    signed = msgspec.json.encode(head)[:-1] + b',\n"Files": [\n' + entries + b'\n],\n"WAL-Ranges": ' + ranges + b",\n"
    last = f'"Manifest-Checksum": "{hashlib.sha256(signed).hexdigest()}"}}\n'
    (data / _MANIFEST).write_bytes(signed + last.encode())


def verify_files(data: Path, tools: Tools, report: Report = silent) -> Check:
    """Let `pg_verifybackup` read every file of a restored directory in which no server has started yet.

    Raises:
        FilesDiffer: One is not what its manifest lists.
    """
    if not (data / _MANIFEST).exists():
        return not_evaluated("what was restored carries no manifest")
    report(f"reading the files from the disk ({_NAME})")
    told = Pace("read", report) if tools.major >= _TELLS_PROGRESS else None
    read = outcome(tools, _NAME, ["--no-parse-wal", data], told)
    if read.code:
        faults = [line.removeprefix(f"{_NAME}: error: ") for line in read.said.splitlines()]
        raise differ("; ".join(faults[:_SHOWN]) or "it said nothing")
    return Check(_NAME, True, f"{len(document_of((data / _MANIFEST).read_bytes())['Files'])} files are what their manifest lists")


def not_evaluated(reason: str) -> Check:
    """Return the check of a directory that has no manifest which is true of it."""
    return Check(_NAME, None, f"not evaluated: {reason}")


def _entries(data: Path, sources: Sources, newer: list[_Entry]) -> Iterator[_Entry]:
    older = {path_of(one): one for one in document_of(sources.full)["Files"]}
    for one in newer:
        name = path_of(one)
        lies = outcome_of(name)
        if lies in sources.same:
            yield older[lies]
        elif lies == name != _LABEL:
            yield one
        else:
            yield {**older.get(lies, {"Path": lies}), **_entry(data / lies, sources.made[lies])}


def _entry(file: Path, made: Made) -> _Entry:
    try:
        found = file.stat()
    except OSError as err:
        raise differ(f'"{file}" cannot be read: {err.strerror}') from err
    changed = f"{datetime.fromtimestamp(found.st_mtime, UTC):%Y-%m-%d %H:%M:%S} GMT"
    return {"Size": made.size, "Last-Modified": changed, "Checksum-Algorithm": "CRC32C", "Checksum": made.checksum}


def differ(reason: str) -> FilesDiffer:
    """Return the error that says what is otherwise on the disk than it was unpacked."""
    return FilesDiffer(
        f"{_NAME}: {reason}",
        hint="what was unpacked was sound, and is not so on the disk: look at the disk, then run it again; it restores anew",
        data={"checks": [{"name": _NAME, "ok": False, "detail": reason}]},
    )
