"""How well a cache works: in this process, and by model."""

import msgspec

from pgkeel.core.clock import monotonic

__all__ = ["Figures", "Tallies", "Tally"]

_EVERY = 10.0


class Figures(msgspec.Struct):
    """Counts since the start of the process.

    Attributes:
        hits: Reads that the cache answered.
        near: Reads that the memory of this process answered.
        shared: Of the hits, those that joined another caller's read of the database.
        stale: Of the hits, those that got the value before, as they had said that they may.
        misses: Reads that asked the database.
        fills: Values put into the cache.
        bypasses: Misses because the cache did not answer, or may not be trusted.
        marks: Rows and tags on which a write was announced.
        dirty: Writes that committed although the cache could not be told; each began an epoch.
    """

    hits: int = 0
    near: int = 0
    shared: int = 0
    stale: int = 0
    misses: int = 0
    fills: int = 0
    bypasses: int = 0
    marks: int = 0
    dirty: int = 0


class Tally(msgspec.Struct):
    """How well one model's rows, or one function's results, are cached.

    Attributes:
        hits: Reads that the cache answered.
        near: Reads that the memory of a process answered.
        misses: Reads that asked the database.
        hit_seconds: How long the hits took altogether.
        miss_seconds: How long the misses took, from asking the cache to filling it.
        load_seconds: How long the database took of that.
    """

    hits: float = 0
    near: float = 0
    misses: float = 0
    hit_seconds: float = 0.0
    miss_seconds: float = 0.0
    load_seconds: float = 0.0

    def missed(self, seconds: float) -> None:
        """Count one miss."""
        self.misses += 1
        self.miss_seconds += seconds


class Tallies:
    """The tallies of a process by table or function, and how much of them the server was told."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self.by_label: dict[str, Tally] = {}
        self._told: dict[str, Tally] = {}
        self._due = monotonic() + _EVERY

    def of(self, label: str) -> Tally:
        """Return the tally of a table or function."""
        return self.by_label.setdefault(label, Tally())

    def due(self, now: float, *, is_last: bool = False) -> list[str]:
        """Return what came since the server was told, as names and numbers behind each other; nothing for 10 s after that."""
        if now < self._due and not is_last:
            return []
        self._due = now + _EVERY
        words: list[str] = []
        for label, tally in self.by_label.items():
            known = self._told.get(label, Tally())
            self._told[label] = told = msgspec.structs.replace(tally)
            for field in Tally.__struct_fields__:
                if delta := getattr(told, field) - getattr(known, field):
                    words += [f"{field}:{label}", repr(delta)]
        return words

    def as_numbers(self) -> dict[str, float]:
        """Return all of them, for a `Meter`: `posts.hits`, `posts.hit_rate`."""
        found: dict[str, float] = {}
        for label, tally in self.by_label.items():
            found |= {f"{label}.{field}": getattr(tally, field) for field in Tally.__struct_fields__}
            asked = tally.hits + tally.near + tally.misses
            found[f"{label}.hit_rate"] = (tally.hits + tally.near) / asked if asked else 0.0
        return found
