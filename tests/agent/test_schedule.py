from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from pgkeel.agent.schedule import Schedule, read_schedules
from pgkeel.core.clock import FrozenClock
from pgkeel.core.errors import ConfigError


def schedule(line: str, zone: str = "UTC") -> Schedule:
    return read_schedules({"job": line}, {}, zone)["job"]


def dues(line: str, zone: str, start: datetime, hours: int) -> list[str]:
    """Return what comes due while a clock is moved on minute by minute."""
    clock, found = FrozenClock(start), []
    read = schedule(line, zone)
    last = read.latest(clock.now())
    for _ in range(hours * 60):
        clock.advance(timedelta(minutes=1))
        if (due := read.latest(clock.now())) > last:
            found.append(f"{due:%m-%d %H:%M}")
            last = due
    return found


def test_a_fixed_hour_runs_once_on_the_night_that_has_no_such_hour() -> None:
    night = datetime(2024, 3, 30, 12, tzinfo=UTC)

    assert dues("30 2 * * *", "Europe/Berlin", night, 48) == ["03-31 01:00", "04-01 00:30"]


def test_a_fixed_hour_runs_once_on_the_night_that_has_it_twice() -> None:
    night = datetime(2024, 10, 26, 12, tzinfo=UTC)

    assert dues("30 2 * * *", "Europe/Berlin", night, 48) == ["10-27 00:30", "10-28 01:30"]


def test_every_half_hour_keeps_its_beat_through_the_change() -> None:
    night = datetime(2024, 10, 26, 23, 45, tzinfo=UTC)

    assert dues("*/30 * * * *", "Europe/Berlin", night, 2) == ["10-27 00:00", "10-27 00:30", "10-27 01:00", "10-27 01:30"]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_the_next_due_time_lies_after_now_and_becomes_the_latest(zone: str) -> None:
    read = schedule("17 3 * * *", zone)
    now = datetime(2024, 1, 1, tzinfo=UTC)
    for _ in range(1_000):
        following = read.following(now)
        assert following > now
        assert read.latest(following) == following
        now += timedelta(hours=13, seconds=7)


@pytest.mark.parametrize(
    ("own", "replaced", "zone", "message"),
    [
        ({"health": "* * * * *"}, {"health": "often"}, "UTC", "agent.schedules.health: 'often' is not a cron line"),
        ({"health": "* * * * *"}, {"health": "61 * * * *"}, "UTC", "61"),
        ({"health": "* * * * *"}, {"health": "0 0 30 2 *"}, "UTC", "2"),
        ({"health": "* * * * *"}, {"helth": "* * * * *"}, "UTC", "no job 'helth'"),
        ({"health": "* * * * *"}, {}, "Europe/Berln", "not a time zone"),
        ({"health": "* * * * *"}, {}, "../etc/passwd", "not a time zone"),
    ],
)
def test_a_wrong_schedule_is_a_configuration_error_with_a_hint(
    own: Mapping[str, str], replaced: Mapping[str, str], zone: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_schedules(own, replaced, zone)

    assert caught.value.hint


def test_a_schedule_of_the_configuration_replaces_the_jobs_own() -> None:
    assert read_schedules({"health": "* * * * *"}, {"health": "5 4 * * *"}, "UTC")["health"].line == "5 4 * * *"
