"""What is said about a backup after it was finished: that it must stay, and that restoring it was tried and went well."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

from pgkeel.backup.places import kept_key, verified_folder
from pgkeel.core.repository import Repository

__all__ = ["Marks", "keep", "mark_verified", "read_marks", "unkeep"]

_FORM = "%Y%m%dT%H%M%SZ"


class Marks:
    """The marks of a repository.

    Attributes:
        kept: System and backup → that it stays.
        verified_at: System and backup → when it was restored last as a test.
    """

    def __init__(self, kept: frozenset[tuple[str, str]], verified_at: Mapping[tuple[str, str], datetime]) -> None:
        """Keep what was read."""
        self.kept = kept
        self.verified_at = verified_at


def read_marks(repository: Repository) -> Marks:
    """Return the marks; they are empty objects whose names say everything."""
    kept, verified = set(), defaultdict(list)
    for stored in repository.list():
        match stored.key.split("/"):
            case [system, "marks", "kept", backup]:
                kept.add((system, backup))
            case [system, "marks", "verified", backup, at]:
                verified[system, backup].append(datetime.strptime(at, _FORM).replace(tzinfo=UTC))
    return Marks(frozenset(kept), {key: max(times) for key, times in verified.items()})


def keep(repository: Repository, system: str, backup: str) -> None:
    """Say that a backup stays until it is released; safe to repeat."""
    repository.put(kept_key(system, backup), b"")


def unkeep(repository: Repository, system: str, backup: str) -> None:
    """Let a kept backup grow old as all others; safe to repeat."""
    repository.delete(kept_key(system, backup))


def mark_verified(repository: Repository, system: str, backup: str, at: datetime) -> None:
    """Say that a backup was restored as a test, and that all was well."""
    repository.put(f"{verified_folder(system, backup)}/{at.astimezone(UTC).strftime(_FORM)}", b"")
