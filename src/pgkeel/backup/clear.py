"""Objects that must be read without a key: zstd and hashed as all others, but not encrypted."""

import hashlib
from collections.abc import Sequence

from backports import zstd

from pgkeel.backup.errors import Damaged
from pgkeel.backup.sealing import PART, Part, fetch, store
from pgkeel.core.repository import Repository

__all__ = ["fetch_clear", "store_clear"]


def store_clear(repositories: Sequence[Repository], key: str, content: bytes) -> tuple[Part, ...]:
    """Store a content, compressed, in every repository and return its parts.

    Raises:
        KeyTaken: Something else lies under one of the keys.
    """
    packed = zstd.compress(content)
    parts = []
    for number, start in enumerate(range(0, len(packed), PART)):
        cut = packed[start : start + PART]
        for repository in repositories:
            store(repository, f"{key}.{number:05}", cut)
        parts.append(Part(f"{key}.{number:05}", len(cut), hashlib.sha256(cut).hexdigest()))
    return tuple(parts)


def fetch_clear(repositories: Sequence[Repository], parts: Sequence[Part]) -> bytes:
    """Return a content that `store_clear` stored.

    Raises:
        Damaged: A part is whole in no repository.
    """
    packed = b"".join(fetch(repositories, part) for part in parts)
    try:
        return zstd.decompress(packed)
    except zstd.ZstdError as err:
        key = parts[0].key if parts else "an object without parts"
        raise Damaged(f"{key}: does not expand", data={"object": key, "reason": "does not expand"}) from err
