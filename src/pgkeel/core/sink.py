"""Where anchors of the audit log go: a place outside of the database that its superuser does not rule."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

import msgspec

__all__ = ["Anchor", "Sink"]


class Anchor(msgspec.Struct, frozen=True):
    """The newest seal of an audit log at a time; whoever has it can prove that the log was not rewritten since.

    Attributes:
        system: Identifier of the cluster, and the database's name.
        epoch: The log's life.
        seal: Number of the seal.
        digest: Of the seal, in hexadecimal; "" where a life began after that seal.
        at: When it was sealed (UTC).
    """

    system: str
    epoch: int
    seal: int
    digest: str
    at: datetime


class Sink(Protocol):
    """Keeps anchors; one that was written is never changed."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    def write(self, anchor: Anchor) -> None:
        """Keep an anchor durably; the same one again is fine."""
        ...

    def anchors(self, system: str) -> Iterator[Anchor]:
        """Yield the anchors of a log, oldest first."""
        ...
