"""Durations and sizes as people write them: `100ms`, `30s`, `1h`, `10GiB`."""

import re
from datetime import timedelta
from fractions import Fraction
from typing import Self

from pgkeel.core.errors import ConfigError

__all__ = ["Size", "format_duration", "parse_duration"]

_MICROSECONDS = {"ms": 10**3, "s": 10**6, "min": 60 * 10**6, "m": 60 * 10**6, "h": 3600 * 10**6}
_MICROSECONDS |= {"d": 86_400 * 10**6, "w": 604_800 * 10**6}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BYTES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)")
_LONGEST = 100  # characters; nobody writes more, and a search in 100,000 digits takes its time
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?B|B)")


def parse_duration(text: str) -> timedelta:
    """Return the duration that `1h30m`, `100ms` or `2 d` means.

    Raises:
        ConfigError: The text is not a duration with a unit.
    """
    given = text if len(text) <= _LONGEST else ""
    rest = _DURATION.sub("", given).strip()
    parts = _DURATION.findall(given)
    if rest or not parts:
        raise ConfigError(f"{text[:_LONGEST]!r} is not a duration", hint="write a number and a unit: 100ms, 30s, 5m, 1h, 2d")
    try:
        return timedelta(microseconds=round(sum(Fraction(number) * _MICROSECONDS[unit] for number, unit in parts)))
    except OverflowError as err:
        raise ConfigError(f"{text!r} is longer than any clock runs", hint="write a shorter duration") from err


def format_duration(value: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads back as the same duration, to the millisecond."""
    milliseconds = round(value.total_seconds() * 1000)
    if milliseconds == 0:
        return "0s"
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, size)
        text += f"{count}{unit}" if count else ""
    return text


class Size(int):
    """A number of bytes that prints as `10GiB`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the size that `10GiB` or `512 MB` means.

        Raises:
            ConfigError: The text is not a size with a unit.
        """
        match = _SIZE.fullmatch(text.strip()) if len(text) <= _LONGEST else None
        if match is None:
            raise ConfigError(f"{text[:_LONGEST]!r} is not a size", hint="write a number and a unit: 512MiB, 10GiB, 1TB")
        return cls(Fraction(match[1]) * _BYTES[match[2]])

    def __str__(self) -> str:
        """Return the size in the largest binary unit that keeps it at least 1."""
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            if self >= _BYTES[unit]:
                return f"{self / _BYTES[unit]:.4g}{unit}"
        return f"{int(self)}B"

    def __repr__(self) -> str:
        """Return a form that names the type."""
        return f"Size({str(self)!r})"
