"""How well a cache works in this process."""

import msgspec

__all__ = ["Figures"]


class Figures(msgspec.Struct):
    """Counts since the start of the process.

    Attributes:
        hits: Reads that the cache answered.
        near: Reads that the memory of this process answered.
        shared: Of the hits, those that joined another caller's read of the database.
        misses: Reads that asked the database.
        fills: Values put into the cache.
        bypasses: Misses because the cache did not answer, or may not be trusted.
        marks: Rows and tags on which a write was announced.
        dirty: Writes that committed although the cache could not be told; each began an epoch.
    """

    hits: int = 0
    near: int = 0
    shared: int = 0
    misses: int = 0
    fills: int = 0
    bypasses: int = 0
    marks: int = 0
    dirty: int = 0
