"""What a rate allows, at which time."""

from datetime import UTC, datetime, timedelta

import pytest

from pgkeel.core.clock import FrozenClock
from pgkeel.core.limits import AsyncMemoryLimiter, MemoryLimiter, Rate

RATE = Rate(2, timedelta(seconds=10))


def test_attempts_come_back_one_by_one() -> None:
    clock = FrozenClock(datetime(2026, 1, 1, tzinfo=UTC))
    limiter = MemoryLimiter(clock=clock)
    assert [limiter.take("a", RATE) for _ in range(3)] == [None, None, timedelta(seconds=5)]
    assert limiter.take("b", RATE) is None
    clock.advance(timedelta(seconds=5))
    assert [limiter.take("a", RATE) for _ in range(2)] == [None, timedelta(seconds=5)]


def test_a_refused_attempt_is_not_counted() -> None:
    clock = FrozenClock(datetime(2026, 1, 1, tzinfo=UTC))
    limiter = MemoryLimiter(clock=clock)
    for _ in range(50):
        limiter.take("a", RATE)
    clock.advance(timedelta(seconds=5))
    assert limiter.take("a", RATE) is None


def test_keys_do_not_pile_up() -> None:
    limiter = MemoryLimiter(most_keys=3)
    for number in range(100):
        limiter.take(str(number), RATE)
    assert len(limiter._due) == 3


async def test_the_awaited_form_counts_alike() -> None:
    limiter = AsyncMemoryLimiter(clock=FrozenClock(datetime(2026, 1, 1, tzinfo=UTC)))
    assert [await limiter.take("a", RATE) for _ in range(3)] == [None, None, timedelta(seconds=5)]


@pytest.mark.parametrize(("most", "seconds"), [(0, 1), (-1, 1), (1, 0), (1, -1)])
def test_a_rate_that_allows_nothing_is_refused(most: int, seconds: int) -> None:
    with pytest.raises(ValueError, match="a rate needs"):
        Rate(most, timedelta(seconds=seconds))
