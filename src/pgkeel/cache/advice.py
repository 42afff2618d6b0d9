"""Whether a cache pays: what its hits and misses took, against what the database took."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from pgkeel.cache.figures import Tally

__all__ = ["Benefit", "benefits_of"]

_ENOUGH = 100
_RARE = 0.2


class Benefit(msgspec.Struct, frozen=True):
    """How well the rows of a table, or the results of a function, are cached; of all processes since the last flush.

    Attributes:
        reads: How many there were.
        hit_rate: How many of them the cache or the memory of a process answered; 0 to 1.
        hit: What a hit on the server takes.
        miss: What a miss takes, with asking and filling the cache.
        load: What the database takes of a miss.
        advice: What to do, or "" where nothing is wrong or too little is known.
    """

    reads: int
    hit_rate: float
    hit: timedelta
    miss: timedelta
    load: timedelta
    advice: str


def benefits_of(fields: Mapping[str, float]) -> dict[str, Benefit]:
    """Return the benefit by table or function.

    Args:
        fields: What processes added up: `hits:posts` → 3.
    """
    tallies: dict[str, dict[str, float]] = {}
    for name, number in fields.items():
        field, _, label = name.partition(":")
        if field in Tally.__struct_fields__:
            tallies.setdefault(label, {})[field] = number
    return {label: benefit_of(Tally(**given)) for label, given in sorted(tallies.items())}


def benefit_of(tally: Tally) -> Benefit:
    """Return the benefit of one."""
    found, reads = tally.hits + tally.near, tally.hits + tally.near + tally.misses
    hit, miss = _each(tally.hit_seconds, tally.hits), _each(tally.miss_seconds, tally.misses)
    load = _each(tally.load_seconds, tally.misses)
    advice = _advice(tally, hit, load, found / reads) if reads >= _ENOUGH and tally.misses else ""
    rate = found / reads if reads else 0.0
    return Benefit(int(reads), rate, timedelta(seconds=hit), timedelta(seconds=miss), timedelta(seconds=load), advice)


def _advice(tally: Tally, hit: float, load: float, rate: float) -> str:
    """Say where reads would be faster without the cache; what is read from memory costs nothing here."""
    reads = tally.hits + tally.near + tally.misses
    if (tally.hit_seconds + tally.miss_seconds) / reads <= load:
        return ""
    if tally.hits and hit >= load:
        return "this cache is slower than the table: a hit takes longer than the database; do not cache it; rows may be near=True"
    if rate < _RARE:
        return "this cache is slower than the table: too few reads are hits; do not cache it, or for longer"
    return "this cache is slower than the table: misses cost more than hits save; keep values for longer"


def _each(seconds: float, number: float) -> float:
    return seconds / number if number else 0.0
