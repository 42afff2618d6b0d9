"""Prove files that were kept in memory against the manifest they are listed in, and leave the others to `pg_verifybackup`.

Of an incremental backup most files hold no block: three words, or nothing. Making a thousand of them on disk takes as long as
making the rest, and only `pg_verifybackup` would look at them.
"""

import hashlib
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from pgkeel.backup.errors import Damaged

__all__ = ["manifest_of_others"]

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reflected: pg_crc32c.h
_ALL_ONES = 0xFFFFFFFF
_HASHES = frozenset({"SHA224", "SHA256", "SHA384", "SHA512"})


def manifest_of_others(manifest: bytes, aside: Mapping[str, bytes]) -> bytes:
    """Return the manifest of all files but those kept aside, which are proved to be what it lists: none more, none else.

    Args:
        manifest: The `backup_manifest`, proved by the checksum in its last line.
        aside: Path → content.

    Raises:
        Damaged: It is no manifest, or a file that was kept aside is not as it says.
    """
    document = _read(manifest)
    listed = [one for one in document["Files"] if one.get("Path") in aside]
    others = [one for one in document["Files"] if one.get("Path") not in aside]
    unlisted = set(aside) - {one["Path"] for one in listed}
    if unlisted or len(listed) != len(aside):
        raise Damaged(f'"{min(unlisted, default="a file")}" is not in the manifest, or twice')
    for one in listed:
        if not _is(one, aside[one["Path"]]):
            raise Damaged(f'"{one["Path"]}" is not what the manifest says')
    return _write({**document, "Files": others})


def _read(manifest: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = msgspec.json.decode(manifest)
        declared = document.pop("Manifest-Checksum")
        if not isinstance(document["Files"], list):
            raise Damaged("the manifest lists no files")
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as err:
        raise Damaged("the manifest cannot be read") from err
    signed = manifest[: manifest.rstrip(b"\n").rfind(b"\n") + 1]
    if hashlib.sha256(signed).hexdigest() != declared:
        raise Damaged("the manifest is not what its checksum says")
    return document


def _write(document: Mapping[str, Any]) -> bytes:
    """Spell a manifest: its checksum is of everything before its own line."""
    signed = msgspec.json.encode(document)[:-1] + b",\n"
    return signed + f'"Manifest-Checksum": "{hashlib.sha256(signed).hexdigest()}"}}\n'.encode()


def _is(listed: Mapping[str, Any], content: bytes) -> bool:
    algorithm = listed.get("Checksum-Algorithm")
    return listed.get("Size") == len(content) and (algorithm is None or listed.get("Checksum") == _checksum(algorithm, content))


def _checksum(algorithm: str, content: bytes) -> str | None:
    """Return a checksum as `pg_checksum_final` leaves it, or None for an algorithm that is unknown."""
    if algorithm == "CRC32C":
        return _crc32c(content).to_bytes(4, sys.byteorder).hex()
    return hashlib.new(algorithm, content).hexdigest() if algorithm in _HASHES else None


def _crc32c(content: bytes) -> int:
    """Return the CRC-32C of some bytes, bit by bit: a few thousand bytes pass here in all."""
    left = _ALL_ONES
    for byte in content:
        left ^= byte
        for _ in range(8):
            left = left >> 1 ^ (_POLYNOMIAL if left & 1 else 0)
    return left ^ _ALL_ONES
