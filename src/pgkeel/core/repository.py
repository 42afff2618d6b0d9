"""What a place that keeps backups can do: whole objects, put once, never overwritten."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec

__all__ = ["Locking", "Repository", "Stored"]


class Stored(msgspec.Struct, frozen=True):
    """An object that lies in a repository.

    Attributes:
        key: Its name, parts joined by `/`.
        bytes: Its size.
        modified: When it arrived, by the repository's clock.
    """

    key: str
    bytes: int
    modified: datetime


class Repository(Protocol):
    """A folder or a bucket; `name` is what the configuration calls it."""

    @property
    def name(self) -> str:
        """What the configuration calls it."""
        ...

    def put(self, key: str, content: bytes | memoryview) -> bool:
        """Store an object whole and durably; return False, and change nothing, when the key is taken."""
        ...

    def get(self, key: str) -> bytes | None:
        """Return an object as it lies there now, or None when there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield the objects whose keys begin with whole parts `prefix`, in the order of their keys."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is gone already is fine."""
        ...


@runtime_checkable
class Locking(Protocol):
    """A repository whose objects can be locked: a bucket with object lock."""

    def locked_until(self, key: str) -> datetime | None:
        """Return until when an object may not be deleted, or None where it may."""
        ...
