"""Time and identifiers, the two things a test wants to hold still."""

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgkeel.core import clock
from pgkeel.core.clock import FrozenClock
from pgkeel.core.ids import derived_id, new_id, random_id


def test_a_frozen_clock_moves_only_when_told() -> None:
    frozen = FrozenClock(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    before = frozen.now(), frozen.monotonic()
    frozen.advance(timedelta(seconds=90))
    assert before == (datetime(2025, 12, 31, 22, tzinfo=UTC), 0.0)
    assert (frozen.now() - before[0], frozen.monotonic()) == (timedelta(seconds=90), 90.0)


def test_a_clock_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        FrozenClock(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test


def test_the_system_clock_tells_utc_and_never_goes_back() -> None:
    first, later = clock.monotonic(), clock.monotonic()
    assert clock.now().utcoffset() == timedelta(0)
    assert later >= first


def test_a_sleep_of_less_than_nothing_returns() -> None:
    clock.sleep(timedelta(seconds=-5))


def test_new_ids_are_version_7_and_ordered_by_their_millisecond() -> None:
    first = new_id()
    time.sleep(0.002)
    second = new_id()
    assert (first.version, first.variant) == (7, random_id().variant)
    assert first < second


def test_new_ids_carry_the_time() -> None:
    before = time.time_ns() // 1_000_000
    assert before <= new_id().int >> 80 <= time.time_ns() // 1_000_000


def test_a_thousand_new_ids_differ() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_a_derived_id_depends_on_its_parts_alone(parts: list[str]) -> None:
    assert derived_id(*parts) == derived_id(*parts)
    assert derived_id(*parts).version == 5


def test_the_order_and_borders_of_the_parts_count() -> None:
    assert len({derived_id("a", "b"), derived_id("b", "a"), derived_id("ab"), derived_id("a", "", "b")}) == 4
