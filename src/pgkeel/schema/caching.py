"""What a model says about the caching of its rows: `cache = Row(ttl="5m")` in the class body."""

from typing import Any, Protocol, runtime_checkable

import msgspec

__all__ = ["CachedRows", "Row", "caching_of"]


@runtime_checkable
class CachedRows(Protocol):
    """What whoever binds a cache reads of a model."""

    @property
    def ttl(self) -> str:
        """How long a row is kept at most."""
        ...

    @property
    def missing_ttl(self) -> str:
        """How long it is remembered that there is no row."""
        ...

    @property
    def near(self) -> bool:
        """Whether each process keeps rows in its own memory too."""
        ...


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of this model may be cached, each by its key.

    Attributes:
        ttl: How long a row is kept at most: `5m`.
        missing_ttl: How long it is remembered that there is no row.
        near: Whether each process keeps rows in its own memory too: faster, and older by the time that a message takes.
        stale: For how long after it was filled others may get a row that somebody reads or writes just now; None is not at all.
        tags: Columns by whose values results are tagged: a write that knows them touches no results of other values.
    """

    ttl: str = "5m"
    missing_ttl: str = "30s"
    near: bool = False
    stale: str | None = None
    tags: tuple[str, ...] = ()


def caching_of(model: object) -> CachedRows | None:
    """Return what a model class says, or None where it says nothing."""
    found: Any = getattr(model, "cache", None)
    return found if isinstance(found, CachedRows) else None
