"""Small facts in clear that lie beside objects: JSON with a hash of itself, so that a flipped bit is found without a key."""

import hashlib
from typing import TypeVar

import msgspec

from pgkeel.backup.errors import Damaged
from pgkeel.backup.sealing import MISSING, store
from pgkeel.core.repository import Repository

__all__ = ["damaged", "read_fact", "store_fact"]

Fact = TypeVar("Fact", bound=msgspec.Struct)


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str
    record: msgspec.Raw


def store_fact(repository: Repository, key: str, fact: msgspec.Struct) -> None:
    """Store a fact; the same one may be there already.

    Raises:
        KeyTaken: Another lies there.
    """
    content = msgspec.json.encode(fact)
    envelope = _Envelope(hashlib.sha256(content).hexdigest(), msgspec.Raw(content))
    store(repository, key, msgspec.json.encode(envelope))


def read_fact(repository: Repository, key: str, kind: type[Fact]) -> Fact:
    """Return the fact under a key.

    Raises:
        Damaged: It is missing or is not what was stored.
    """
    content = repository.get(key)
    if content is None:
        raise damaged(repository, key, MISSING)
    try:
        envelope = msgspec.json.decode(content, type=_Envelope)
        fact = msgspec.json.decode(envelope.record, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as err:
        raise damaged(repository, key, "is no record") from err
    if hashlib.sha256(bytes(envelope.record)).hexdigest() != envelope.sha256:
        raise damaged(repository, key, "its SHA-256 is another")
    return fact


def damaged(repository: Repository, key: str, reason: str) -> Damaged:
    """Return the error that names an object and what is wrong with it."""
    return Damaged(
        f"repository {repository.name}: {key}: {reason}",
        hint="take it from another repository",
        data={"object": key, "reason": reason},
    )
