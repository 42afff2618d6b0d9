"""How long values live."""

import secrets
from datetime import timedelta
from functools import lru_cache

import msgspec

from pgkeel.core.errors import ConfigError
from pgkeel.core.units import parse_duration

__all__ = ["Life", "milliseconds"]

_SPREAD = 1000
_parsed = lru_cache(maxsize=256)(parse_duration)


class Life(msgspec.Struct, frozen=True):
    """How long a value lives, shortened at random by up to an eighth, so that what was filled together does not end together.

    Attributes:
        value: Milliseconds of a value.
        nothing: Milliseconds of the knowledge that there is none.
        near: Seconds for which the process keeps values in its own memory too; 0 is not at all.
        stale: Milliseconds for which others get the value before, while somebody is at work on it; 0 is not at all.
    """

    value: int
    nothing: int
    near: float = 0.0
    stale: int = 0

    @classmethod
    def of(
        cls, ttl: timedelta | str, nothing: timedelta | str, *, is_near: bool = False, stale: timedelta | str | None = None
    ) -> "Life":
        """Return it from durations, as `5m` or timedelta.

        Raises:
            ConfigError: One is not a duration of a millisecond or more.
        """
        longest = milliseconds(ttl)
        old = 0 if stale is None else milliseconds(stale)
        return cls(longest, milliseconds(nothing), longest / 1000 if is_near else 0.0, old)

    def draw(self, *, is_nothing: bool) -> int:
        """Return how long this one lives, in milliseconds."""
        longest = self.nothing if is_nothing else self.value
        return max(1, longest - longest * secrets.randbelow(_SPREAD) // (8 * _SPREAD))


def milliseconds(duration: timedelta | str) -> int:
    """Return a duration in milliseconds.

    Raises:
        ConfigError: It is not one of a millisecond or more.
    """
    found = _parsed(duration) if isinstance(duration, str) else duration
    if not isinstance(found, timedelta):
        raise ConfigError(f"{found!r} is not a duration", hint='write a timedelta, or text: "30s", "5m"')
    number = round(found.total_seconds() * 1000)
    if number < 1:
        raise ConfigError(f"{duration} is too short for a cache", hint="a millisecond is the least")
    return number
