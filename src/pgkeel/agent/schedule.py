"""When jobs are due: cron lines read in a time zone. Pure: the time is always handed in.

Across daylight saving a line with a fixed hour runs once a day (cron(8) of Debian), one with `*` keeps its beat.
"""

import difflib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec
from cronsim import CronSim, CronSimError

from pgkeel.core.errors import ConfigError

__all__ = ["Schedule", "read_schedules"]

_ANY_DAY = datetime(2024, 1, 1, tzinfo=UTC)


class Schedule(msgspec.Struct, frozen=True):
    """A cron line in a time zone.

    Attributes:
        line: Five fields: minute, hour, day of month, month, day of week.
        zone: The zone in which they are read.
    """

    line: str
    zone: ZoneInfo

    def following(self, now: datetime) -> datetime:
        """Return the first due time after `now`, in UTC."""
        for due in CronSim(self.line, now.astimezone(self.zone)):
            if due.astimezone(UTC) > now:
                return due.astimezone(UTC)
        raise AssertionError(self.line)  # pragma: no cover - read_schedules refused such a line

    def latest(self, now: datetime) -> datetime:
        """Return the last due time at or before `now`, in UTC: after a pause, the one that is caught up."""
        start = (now + timedelta(seconds=1)).replace(microsecond=0).astimezone(self.zone)
        for due in CronSim(self.line, start, reverse=True):
            if due.astimezone(UTC) <= now:
                return due.astimezone(UTC)
        raise AssertionError(self.line)  # pragma: no cover - read_schedules refused such a line


def read_schedules(lines: Mapping[str, str], replaced: Mapping[str, str], time_zone: str) -> dict[str, Schedule]:
    """Return the schedule of every job.

    Args:
        lines: Each job's own cron line, by name.
        replaced: The lines that `[agent] schedules` puts in their place.
        time_zone: IANA name.

    Raises:
        ConfigError: The zone or a job is unknown, or a line is not a cron line.
    """
    zone = _zone(time_zone)
    for name in replaced:
        if name not in lines:
            raise ConfigError(f"agent.schedules: there is no job {name!r}", hint=_near(name, lines))
    return {name: Schedule(_checked(name, replaced.get(name, line), zone), zone) for name, line in lines.items()}


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise ConfigError(f"agent.time_zone: {name!r} is not a time zone", hint=_near(name, available_timezones())) from err


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name[:30], list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"for example {min(known, default='UTC')}"


def _checked(name: str, line: str, zone: ZoneInfo) -> str:
    hint = f'[agent] schedules = {{ {name} = "17 * * * *" }}: minute, hour, day of month, month, day of week'
    try:
        next(CronSim(line, _ANY_DAY.astimezone(zone)))
    except CronSimError as err:
        raise ConfigError(f"agent.schedules.{name}: {line!r} is not a cron line: {err}", hint=hint) from err
    except StopIteration as err:
        raise ConfigError(f"agent.schedules.{name}: {line!r} names no day that exists", hint=hint) from err
    return line
